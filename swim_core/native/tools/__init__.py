"""Tools that aren't members: how they ask a node, and how it answers."""
