"""Timing of scenes: measured, compared, learned."""
