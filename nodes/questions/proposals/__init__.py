"""Questions that a policy proposes: what it is told, what it writes, what stands."""
