"""Scripts for a rehearsal at full size: varied sentences by rule, no model, nobody's training data."""
