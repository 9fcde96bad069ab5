"""The `swim` command: an agent that prints what it sees, and a demo of a cluster on one machine.

Needs the ``cli`` extra. Nothing here is imported by the rest of `swim_anyio`, and rich only where
something is drawn on a terminal: an agent that writes JSON lines starts without it.
"""
