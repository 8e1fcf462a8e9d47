"""The name service of the lab: authorities, a primary that takes RFC 2136 updates, and caching resolvers."""
