"""The reader: records in, tables out. Of ours it needs only harness.records; never torch."""
