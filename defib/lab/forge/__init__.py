"""The APIs of the vendors that host Git, as far as a repository's settings go, with state and in the vendors' own shapes."""
