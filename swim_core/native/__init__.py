"""The native protocol: SWIM with probing in pairs, verdicts by evidence, floods on rings (docs/protocol.md)."""
