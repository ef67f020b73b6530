"""Published releases in the formats of baselines and tool kits: one file per format, one registry."""
