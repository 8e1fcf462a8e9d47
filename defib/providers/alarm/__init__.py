"""Alarms that a site's owners have set elsewhere, one file a vendor."""
