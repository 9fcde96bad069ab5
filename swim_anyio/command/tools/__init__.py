"""Commands that ask a running member without being one: `swim members`, `why`, `broadcast` and `watch`."""
