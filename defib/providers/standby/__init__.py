"""What a standby on AWS is made of: bucket, access, headers, limits and distribution, as changes like any other."""
