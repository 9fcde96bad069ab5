"""The `swim` command: an agent, tools that ask one, a demo of a cluster on one machine, and experiments.

It needs the ``cli`` extra. The rest of `swim_anyio` imports nothing from here. rich is imported only where something
is drawn on a terminal, so an agent that writes JSON lines starts without it.
"""
