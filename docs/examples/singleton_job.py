"""A job that runs on one node, and moves when that node dies.

    python docs/examples/singleton_job.py --name ann                                            # first terminal
    python docs/examples/singleton_job.py --name bob --bind 127.0.0.1:0 --join 127.0.0.1:7946   # second
    # then kill -9 the one that works, or press Ctrl-C in its terminal

**This is not a lock.** Views differ at times. While news travels, while the network is split, or while a process stands
still and doesn't know that others have given it up, two nodes may both believe that the job is theirs. Membership can't
prevent that (only consensus could), so the store must. Each node that takes over the job draws a *fencing token*, a
number that grows, and the store refuses writes with an older token. For a moment two nodes may run the job, but only
the latest has an effect, and the other finds out when it writes.
"""

import argparse
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing, suppress

import swim_threads
from swim_core import SwimError
from swim_core.placement import Placement

JOB = "the nightly report"


class Store:
    """Where the job writes: a database that all nodes can reach, here a file. It keeps the latest token."""

    def __init__(self, path: str) -> None:
        self._database = sqlite3.connect(path, isolation_level=None, timeout=10)  # each statement is a transaction
        self._database.execute("CREATE TABLE IF NOT EXISTS fence (job TEXT PRIMARY KEY, token INTEGER)")
        self._database.execute("CREATE TABLE IF NOT EXISTS results (token INTEGER, result TEXT)")

    def take_over(self) -> int:
        """Draw the next token; from now on those drawn before are refused."""
        query = (
            "INSERT INTO fence VALUES (?, 1) ON CONFLICT (job) DO UPDATE SET token = fence.token + 1 RETURNING token"
        )
        [[token]] = self._database.execute(query, [JOB]).fetchall()
        return int(token)

    def write(self, token: int, result: str) -> bool:
        """Keep a result if ``token`` is the latest, in one step; False if somebody else has taken over."""
        query = "INSERT INTO results SELECT token, ? FROM fence WHERE job = ? AND token = ?"
        return self._database.execute(query, [result, JOB, token]).rowcount == 1

    def close(self) -> None:
        """Close the file."""
        self._database.close()


class Job:
    """The job, as one node sees it: ours or not, and with which token."""

    def __init__(self, node: swim_threads.ThreadNode, store: Store, at_least: int) -> None:
        self._node = node
        self._store = store
        self._at_least = at_least
        self._token: int | None = None

    def ours(self) -> bool:
        """Whether this node should run it, by its own view.

        A node that is cut off sees itself alone, and thinks that everything is its own: ``at_least`` members
        (more than half of all) keep the smaller side of a split from working in vain.
        """
        members = self._node.members()
        return len(members) >= self._at_least and Placement(members).owner(JOB).name == self._node.local.name

    def step(self) -> None:
        """Do a piece of work, if it is ours to do."""
        if not self.ours():
            if self._token is not None:
                print("the job moved on")
            self._token = None
            return
        if self._token is None:
            self._token = self._store.take_over()
            print(f"the job is ours, token {self._token}")
        if self._store.write(self._token, f"a page by {self._node.local.name}"):
            print(f"wrote a page with token {self._token}")
        else:
            print(f"token {self._token} was refused: somebody else has taken over")
            self._token = None


def work(node: swim_threads.ThreadNode, job: Job, every: float) -> None:
    """Step every so many seconds, and at once when there is news of members."""
    with node.subscribe() as events:
        while True:
            job.step()
            with suppress(TimeoutError):
                events.get(timeout=every)


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and work."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", help="unique in the cluster")
    parser.add_argument("--bind", help="HOST:PORT of the node; port 0 takes a free one (127.0.0.1:7946)")
    parser.add_argument("--join", help="HOST:PORT of a member")
    parser.add_argument("--store", default="report.sqlite", help="the file that all write to (report.sqlite)")
    parser.add_argument("--at-least", type=int, default=1, help="work only where so many members are seen (1)")
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two pieces of work (1)")
    options = parser.parse_args(arguments)
    try:
        with (
            swim_threads.open_node(options.bind, join=options.join, name=options.name) as node,
            closing(Store(options.store)) as store,
        ):
            print(f"{node.local.name} is at {node.local.address}")
            if options.join:  # a node that has just started sees itself alone: give it time to be let in
                with suppress(TimeoutError):
                    node.wait_for_members(2, timeout=5)
            work(node, Job(node, store, options.at_least), options.every)
    except KeyboardInterrupt:
        pass
    except (SwimError, sqlite3.Error) as error:
        sys.exit(f"singleton_job: {error}")


if __name__ == "__main__":
    main()
