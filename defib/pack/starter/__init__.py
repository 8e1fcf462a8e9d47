"""The files of a pack that start it: they are copied into it as they are."""
