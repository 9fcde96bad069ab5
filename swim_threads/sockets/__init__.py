"""The sockets of all adapters: datagrams, multicast groups, tripwires, and a poller for all of them.

`transport` says what an engine asks of them; nothing here knows a node or a thread.
"""
