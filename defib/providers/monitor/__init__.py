"""Who else looks at a site, and how its users fare: one file a vendor."""
