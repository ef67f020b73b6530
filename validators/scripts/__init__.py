"""Judges of scripts: rules, near-duplicates, diversity, and a language model as a reader."""
