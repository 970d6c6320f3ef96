"""A report's sections drawn: in a terminal, as JSON, CSV or Markdown, and as a page."""
