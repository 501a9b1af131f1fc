"""The static site: what MkDocs makes of docs/, and a page on which every result can be sorted, filtered and traced."""
