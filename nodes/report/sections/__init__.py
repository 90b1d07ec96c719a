"""Sections of a run's page: what its artifacts say, in charts and tables, a theme a file."""
