"""Pointers to the release that users get."""
