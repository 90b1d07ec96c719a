"""Filters: kinds that give what is left of a pool, and say of each question that is not left why."""
