"""Programs from which answers follow: the scene API, its facts, the sandbox."""
