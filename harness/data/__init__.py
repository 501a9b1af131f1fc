"""Names in, labelled splits out."""
