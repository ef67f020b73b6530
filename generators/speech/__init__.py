"""From a line of script to 16 kHz speech: text normalisation, engines, casting, finishing, the store."""
