"""Full-duplex scenes: when each utterance starts, who is cut, and the rendered channels."""
