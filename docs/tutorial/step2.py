import sys
import threading
from contextlib import suppress

import swim_threads
from swim_threads import Member, State, on_status


def report(member: Member, state: State) -> None:
    """Called in a thread of the node's own, one event at a time."""
    print(f"{member.name} is {state}", flush=True)


with suppress(KeyboardInterrupt), swim_threads.open_node(name=sys.argv[1], listeners=[on_status(report)]) as node:
    print(f"{node.local.name} is at {node.local.address}", flush=True)
    threading.Event().wait()  # until Ctrl-C
