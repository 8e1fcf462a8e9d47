"""Alarms that a site's owners have set elsewhere and that keep a drill from beginning, one file a vendor."""
