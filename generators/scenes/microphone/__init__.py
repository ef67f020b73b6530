"""From what people say to what a microphone hears."""
