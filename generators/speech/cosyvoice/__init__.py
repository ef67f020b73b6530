"""CosyVoice in process: a worker in an environment of its own, spoken to over pipes."""
