"""Questions as a page for people."""
