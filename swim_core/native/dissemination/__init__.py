"""How news reaches all members: floods on rings, anti-entropy, and broadcasts delivered at most once."""
