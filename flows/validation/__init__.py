"""Judging a directory."""
