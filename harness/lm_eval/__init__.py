"""Tasks of the lm-evaluation-harness as a setting: what options name, which of its documents are asked, by whom."""
