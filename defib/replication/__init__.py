"""Whether the other region's copy of the assets is really the same, how old it is, and how they are put back from it."""
