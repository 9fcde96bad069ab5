"""Claims about members: merged, answered if they are about this node, corrected if their sender is wrong."""
