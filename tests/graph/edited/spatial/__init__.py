"""Helpers; some are passed on from here."""

from .passed import doubled as doubled
