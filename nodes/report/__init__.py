"""Reports: what runs came to, as tables and pictures."""
