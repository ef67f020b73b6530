"""Files that several formats write."""
