"""Commands that ask a running member without joining: `swim members`, `why`, `broadcast`, `join` and `watch`."""
