"""Engine ``espeak``."""
