"""How a node gets in: it asks seeds or announces itself to a multicast group; others check it and let it in."""
