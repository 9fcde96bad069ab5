"""Sealing: keys, what is derived from them, and the seal around each datagram (docs/protocol.md, section 2)."""
