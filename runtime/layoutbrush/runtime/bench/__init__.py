"""Measurements behind `layoutbrush bench`: graphs alone, and whole edits through a server of their own."""
