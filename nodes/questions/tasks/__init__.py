"""Task families, one a file: each function lists what may be asked of a scene."""
