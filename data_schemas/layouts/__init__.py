"""One module per on-disk layout: where an item's files go, what its row says, how to read both back."""
