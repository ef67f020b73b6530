"""Who speaks, and how they sound."""
