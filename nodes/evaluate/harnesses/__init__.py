"""Harnesses: what programs of others write of what they measured, a file each."""
