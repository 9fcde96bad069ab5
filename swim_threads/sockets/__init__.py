"""The sockets of every adapter: datagrams, multicast groups, tripwires, and waiting for all of them.

`transport` says what an engine asks of them; nothing here knows a node or a thread.
"""
