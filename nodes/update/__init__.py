"""Updates: what trains a policy. The only importers of TRL."""
