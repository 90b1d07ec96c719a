"""Trackers: curves shown by other tools, a file each."""
