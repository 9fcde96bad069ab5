"""Datagrams coming in and going out, and what waits to ride on them."""
