"""Conversations of many turns."""
