"""Every remote holds everything: what a mirror lacks, what it must never lose, and how far it is behind."""
