"""Emotion for engines that have none: one prosody step after synthesis, for every engine the same."""
