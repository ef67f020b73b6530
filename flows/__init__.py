"""The conductor: configuration, sharding, caching, resuming, publishing, the models and the CLI."""
