"""The domain: scenes, questions, policies, rewards, updates, evaluation; each kind a plain function."""
