"""Commands that make and change files of keys: `swim keygen` and `swim keys`."""
