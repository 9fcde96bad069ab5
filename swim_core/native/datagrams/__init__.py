"""Incoming and outgoing datagrams, and the items that wait to ride on them."""
