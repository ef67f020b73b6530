"""What a judge is: codes, thresholds, clips, kept measurements."""
