"""What is known and refused before any work."""
