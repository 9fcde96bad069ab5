"""Tools that are no members: how they ask a node, and how it answers."""
