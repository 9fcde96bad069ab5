import sys

import swim_threads
from swim_core.placement import Placement
from swim_threads import BroadcastReceived, Event, Member, MemberDied, State, SwimError, on_broadcast, on_status

WORKING, DRAINING = {"role": "worker"}, {"role": "draining"}
jobs: dict[str, str] = {}  # each job that was heard of, and who was to do it


def report(member: Member, state: State) -> None:
    """Called in a thread of the node's own, one event at a time."""
    print(f"{member.name} is {state}", flush=True)


def work(job: str) -> None:
    """Do a job, if it is this worker's."""
    workers = Placement(node.members(), where=WORKING)
    if not workers.members:
        print(f"nobody can do {job}", flush=True)
        return
    jobs[job] = workers.owner(job).name
    if jobs[job] == node.local.name:
        print(f"doing {job}", flush=True)


def received(broadcast: BroadcastReceived) -> None:
    """A job that was typed into another worker."""
    work(broadcast.payload.decode())


def again(event: Event) -> None:
    """Jobs of a worker that died find another owner, as everybody works out alike."""
    if isinstance(event, MemberDied):
        for job in [job for job, name in jobs.items() if name == event.member.name]:
            work(job)


try:
    node = swim_threads.open_node(name=sys.argv[1], metadata=WORKING)
except SwimError as error:  # a port in use, a variable that makes no sense
    sys.exit(f"worker: {error}")
with node:
    node.add_listener(on_broadcast(received))
    node.add_listener(again)
    node.add_listener(on_status(report), current=True)
    print(f"{node.local.name} is at {node.local.address}", flush=True)
    try:
        for line in sys.stdin:  # until Ctrl-D
            job = line.strip()
            node.broadcast(job.encode())  # goes to the others
            work(job)
    except KeyboardInterrupt:
        pass
    node.update_metadata(DRAINING)  # no new jobs; a real worker finishes those that it has, and then
    print("draining", flush=True)  # the end of the block says goodbye
