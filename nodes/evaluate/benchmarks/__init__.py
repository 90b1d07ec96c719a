"""Benchmarks, a file each: how their authors ask and score, and the strict reading beside it."""
