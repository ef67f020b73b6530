"""Scripts by a language model: the factory and its files."""
