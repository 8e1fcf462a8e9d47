"""Buckets that are compared version by version, at S3 and in memory."""
