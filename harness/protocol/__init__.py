"""Every number and choice of an experiment, with a name."""
