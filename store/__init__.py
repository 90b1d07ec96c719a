"""Content-addressed artifacts: blobs, manifests, records and names on one root. Imports nothing of ours."""
