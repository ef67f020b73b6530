"""A build from its configuration to the release: rounds over the items, the phases around them, what they report."""
