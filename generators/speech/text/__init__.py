"""Text as it is spoken."""
