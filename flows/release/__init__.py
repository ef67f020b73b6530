"""From finished shards to a published tree."""
