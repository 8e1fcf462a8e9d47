"""Status pages: what users of a site may read."""
