"""What records stand on: JSON, WAV, SQLite, randomness, the model table."""
