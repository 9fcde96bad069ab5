"""What travels: datagrams, the messages, claims and queries in them, and the hashes that members compute alike."""
