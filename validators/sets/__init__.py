"""Whole sets."""
