"""From tables to pages: Markdown, a terminal, figures and the words between them."""
