"""A site's repository at a second vendor, kept as the first one has it."""
