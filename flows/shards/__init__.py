"""Groups of items: made, kept, spoken again."""
