"""Rewards by name: what a text is worth as the answer to a question. One a file."""
