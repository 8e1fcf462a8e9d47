"""Buckets of S3 and their replicas: each module fulfils a port of :mod:`defib.replication`."""
