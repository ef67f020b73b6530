"""The judges: they look at a record, a file or a table and return findings. They change nothing."""
