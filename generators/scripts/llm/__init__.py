"""The writer that asks a language model: prompts in, scripts out."""
