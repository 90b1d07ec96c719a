"""Rollouts: drawn once, stored whole, measured as often as one likes."""
