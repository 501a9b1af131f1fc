"""Loads mergeboard's two pytest plugins; everything else is said in the suites."""

pytest_plugins = ["harness.plugin", "leaderboard.plugin"]
