"""Engine ``kokoro``."""
