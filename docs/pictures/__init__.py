"""The pictures of these pages. Each module draws one from a run of the simulator, the same one every time."""
