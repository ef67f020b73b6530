"""What exports read of a release."""
