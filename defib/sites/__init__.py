"""What is under protection: a site file in YAML, a part of it in each module."""
