"""Rows of manifests."""
