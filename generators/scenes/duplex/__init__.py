"""The sub-tasks of full duplex."""
