"""The least that a site's credentials must be allowed: said beside each adapter, and told in the vendors' own words."""
