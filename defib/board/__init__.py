"""What there is to know of every site at a glance: what is running, what is proved, what is ready; from the disk alone."""
