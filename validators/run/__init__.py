"""Judges at work: one item, one directory, tables."""
