"""What is installed, verified and missing."""
