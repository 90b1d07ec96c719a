"""Feedback: what past rounds say of scenes and cells, for synthesis, selection and proposers."""
