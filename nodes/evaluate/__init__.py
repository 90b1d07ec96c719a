"""Evaluation: what a policy scores on a pool, with intervals."""
