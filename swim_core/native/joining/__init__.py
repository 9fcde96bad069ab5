"""How a node gets in: it asks seeds, or announces itself to a group; others check it and let it in."""
