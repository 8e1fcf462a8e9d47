"""A site made anew: which commit, from whom, what is built of it, and the last resort that then serves it."""
