"""What others say of a site: alarms from outside, each answered once."""
