"""The wire format: datagrams, their messages, claims and queries, and the hashes that all members compute alike."""
