"""The ``humdial`` command: one file per command."""
