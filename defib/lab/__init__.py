"""A small internet on loopback: procedures, providers and site files meet it as they meet real vendors."""
