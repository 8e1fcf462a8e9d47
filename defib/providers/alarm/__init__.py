"""What outside monitors send when a site goes down or comes back: one module a vendor, bytes in, an alarm out."""
