"""Fetching and verifying the pinned models."""
