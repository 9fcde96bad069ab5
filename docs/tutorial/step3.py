import sys

import swim_threads
from swim_threads import BroadcastReceived, Member, State, on_broadcast, on_status


def report(member: Member, state: State) -> None:
    """Called in a thread of the node's own, one event at a time."""
    print(f"{member.name} is {state}", flush=True)


def work(job: str) -> None:
    """Do a job."""
    print(f"doing {job}", flush=True)


def received(broadcast: BroadcastReceived) -> None:
    """A job that was typed into another worker."""
    work(broadcast.payload.decode())


listeners = [on_status(report), on_broadcast(received)]
with swim_threads.open_node(name=sys.argv[1], listeners=listeners) as node:
    print(f"{node.local.name} is at {node.local.address}", flush=True)
    try:
        for line in sys.stdin:  # until Ctrl-D
            job = line.strip()
            node.broadcast(job.encode())  # goes to the others
            work(job)
    except KeyboardInterrupt:
        pass
