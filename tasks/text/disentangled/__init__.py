"""Meaning and form of a sentence kept apart, after Huang et al. (2021)."""
