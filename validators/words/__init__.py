"""What is said and heard."""
