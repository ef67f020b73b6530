"""Speech over HTTP: CosyVoice's own server, and any server that speaks the OpenAI speech API."""
