"""The reader: records in, tables out. Of ours it needs records, metrics and the words of suites; never torch."""
