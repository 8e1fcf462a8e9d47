"""From a clean work tree to files that may be served: building, checking what came out, keeping it for a worse day."""
