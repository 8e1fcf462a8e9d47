"""Releases: what a built site becomes in a bucket, how it gets there, and how long it stays."""
