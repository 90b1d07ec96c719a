"""Policies: built, loaded, asked, and what they write."""
