"""Files and containers."""
