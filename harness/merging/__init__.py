"""`python -m harness merge`: a merge from folders to a folder, without an exam."""
