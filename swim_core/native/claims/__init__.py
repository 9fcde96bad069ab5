"""What is claimed of members: merged, answered where it is about this node, corrected where a sender is wrong."""
