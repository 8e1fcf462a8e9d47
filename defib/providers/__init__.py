"""Adapters to the outside: one file a vendor, one that keeps everything in memory, and wrappers around any of them."""
