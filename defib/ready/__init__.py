"""Readiness: everything that would stop a recovery if it had to begin now, found without changing anything."""
