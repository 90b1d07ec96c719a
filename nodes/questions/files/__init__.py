"""Questions as files: formats out and in."""
