"""Sections of the pages that runs of this task write."""
