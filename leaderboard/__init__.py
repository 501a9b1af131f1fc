"""The reader: records in, tables out. Needs tabulate and scipy; of ours only harness.record and harness.bits."""
