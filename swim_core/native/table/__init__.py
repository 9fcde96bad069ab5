"""Which members this node knows, and their order: by name, by address, by phase, and on the flood rings."""
