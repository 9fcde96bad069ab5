import sys

import swim_threads
from swim_core.placement import Placement
from swim_threads import BroadcastReceived, Member, State, on_broadcast, on_status


def report(member: Member, state: State) -> None:
    """Called in a thread of the node's own, one event at a time."""
    print(f"{member.name} is {state}", flush=True)


def work(job: str) -> None:
    """Do a job, if it is this worker's."""
    owner = Placement(node.members()).owner(job)
    if owner.name == node.local.name:
        print(f"doing {job}", flush=True)


def received(broadcast: BroadcastReceived) -> None:
    """A job that was typed into another worker."""
    work(broadcast.payload.decode())


node = swim_threads.open_node(name=sys.argv[1])
node.add_listener(on_broadcast(received))
node.add_listener(on_status(report), current=True)
with node:
    print(f"{node.local.name} is at {node.local.address}", flush=True)
    try:
        for line in sys.stdin:  # until Ctrl-D
            job = line.strip()
            node.broadcast(job.encode())  # goes to the others
            work(job)
    except KeyboardInterrupt:
        pass
