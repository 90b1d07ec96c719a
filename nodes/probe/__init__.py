"""Probe: what a policy can do on each question, measured from stored rollouts."""
