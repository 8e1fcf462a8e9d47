"""What moto is too kind to refuse, refused as AWS does."""
