"""What people are told, over channels that never delay a recovery."""
