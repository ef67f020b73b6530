"""Timing: distributions, corpora, fits."""
