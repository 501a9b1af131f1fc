"""The rows of the table that no single model stands behind."""

NO_MODEL = {"avg": "the mean of the members' scores", "domain_specific": "every member on its own rows"}
