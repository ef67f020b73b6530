"""Texts of scripts."""
