"""Each job of Defib measured against the fastest peer there is, or against its own target, in one run."""
