"""Who answers the cells of a session: this process, workers of pytest-xdist, or those of a cluster."""
