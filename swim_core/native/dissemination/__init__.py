"""How all learn of what one knows: floods on rings, anti-entropy, and broadcasts delivered at most once."""
