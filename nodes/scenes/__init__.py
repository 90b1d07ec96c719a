"""Scenes: sources of rooms, geometry, pictures."""
