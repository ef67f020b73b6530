"""Talking to model servers: endpoints, adaptive concurrency, retries, budgets, the answers that were paid for."""
