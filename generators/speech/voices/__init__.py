"""Voices: a registry of one's own, and mixtures of an engine's."""
