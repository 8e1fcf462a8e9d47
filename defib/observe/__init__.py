"""Looking at a site as its users do, and saying when it is down."""
