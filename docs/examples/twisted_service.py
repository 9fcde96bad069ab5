"""A Twisted server that tells everybody who connects which members there are.

    pip install twisted
    python docs/examples/twisted_service.py --port 8000                                            # first terminal
    python docs/examples/twisted_service.py --port 8001 --bind 127.0.0.1:0 --join 127.0.0.1:7946   # second
    nc localhost 8001

The reactor gives the node its turns, so nothing may keep it busy for seconds. Ctrl-C leaves the cluster: the reactor
waits for the goodbye.
"""

import argparse
import sys
from collections.abc import Sequence

from twisted.internet import reactor
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, Protocol

from swim_threads import Event, MemberDied, MemberJoined, MemberLeft, SwimError
from swim_threads.contrib.twisted import TwistedNode


def report(event: Event) -> None:
    """Called in the reactor."""
    if isinstance(event, MemberJoined | MemberLeft | MemberDied):
        print(event, flush=True)


class Members(Factory):
    """Answers every connection with the members, and closes it."""

    def __init__(self, node: TwistedNode) -> None:
        self.node = node

    def buildProtocol(self, address: object) -> Protocol:
        """For a new connection."""
        return Answer(self.node)


class Answer(Protocol):
    """One connection."""

    def __init__(self, node: TwistedNode) -> None:
        self.node = node

    def connectionMade(self) -> None:
        """Say who is there."""
        for member in self.node.members():
            self.transport.write(f"{member.name} {member.address} {member.state}\n".encode())
        self.transport.loseConnection()


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8000, help="of the server (8000)")
    parser.add_argument("--bind", help="HOST:PORT of the node; port 0 takes a free one (127.0.0.1:7946)")
    parser.add_argument("--join", help="HOST:PORT of a member, numeric")
    options = parser.parse_args(arguments)
    try:
        node = TwistedNode(reactor, options.bind, join=options.join, on_event=report)
        port = reactor.listenTCP(options.port, Members(node), interface="127.0.0.1")
    except (SwimError, CannotListenError) as error:
        sys.exit(f"twisted_service: {error}")
    print(f"serving on port {port.getHost().port}, the node is at {node.local.address}", flush=True)
    reactor.run()


if __name__ == "__main__":
    main()
