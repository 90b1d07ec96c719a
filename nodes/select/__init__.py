"""Selection: which questions of a pool a policy is trained on, a rule a file."""
