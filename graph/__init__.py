"""The engine: spec -> plan -> run. It knows nothing about space or language."""
