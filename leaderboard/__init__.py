"""The reader: records in, tables out. Of ours it needs only harness.record and harness.terrain; never torch."""
