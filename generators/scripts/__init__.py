"""Script writers: from a plan to the words, and the frozen script files that replay them."""
