"""S3 replication of the lab: two buckets, the rules of one, and what copies versions to the other."""
