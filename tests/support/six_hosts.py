"""Six agents with a key, each on a host of its own, and the network between them, which can be cut in two."""

from collections.abc import Callable
from pathlib import Path

from support.agents import SWIM
from support.hosts import Host, Running, connected
from swim_core import Key

__all__ = ["EAST", "EVERYBODY", "WEST", "SixHosts"]

QUICK = ["--probe-interval", "0.2", "--stall-tolerance", "4"]
EAST, WEST = (1, 2, 3), (4, 5, 6)
EVERYBODY = (*EAST, *WEST)
OPERATOR = 9


class SixHosts:
    """Six agents, n1 to n6, and a host of an operator, which reaches both sides while the network is cut.

    Args:
        new_host: makes the hosts.
        folder: where the file with the key goes.
    """

    def __init__(self, new_host: Callable[[], Host], folder: Path) -> None:
        self.key_file = folder / "swim.key"
        self.key_file.write_text(f"{Key(bytes(range(32))).reveal()}\n")
        self.key_file.chmod(0o600)
        self.hosts = {number: new_host() for number in EVERYBODY}
        self.operator = new_host()
        connected([*self.hosts.values(), self.operator])
        self.operator.ip("address", "add", f"10.77.0.{OPERATOR}/24", "dev", "eth0")
        self.agents: dict[int, Running] = {}
        for number, host in self.hosts.items():
            host.ip("address", "add", f"10.77.0.{number}/24", "dev", "eth0")
            self.agents[number] = self._start(number, host)

    def _start(self, number: int, host: Host) -> Running:
        seeds = [] if number == 1 else ["--join", "10.77.0.1:7946", "--join", "10.77.0.4:7946"]
        name, role = f"n{number}", ("web", "db")[number % 2]
        where = ["--bind", "0.0.0.0:7946", "--advertise", f"10.77.0.{number}:7946", "--name", name]
        options = ["--format", "json", "--metadata", f"role={role}", "--key-file", str(self.key_file)]
        return host.run(*SWIM, "agent", *where, *options, *QUICK, *seeds)

    def wait(self, observers: tuple[int, ...], event: str, members: tuple[int, ...], *, times: int = 1) -> None:
        """Wait until each observer has reported this about every other one of the members."""
        for observer in observers:
            told = self.agents[observer].lines
            for member in members:
                if member != observer:
                    self.agents[observer].wait_for(
                        lambda _, told=told, member=member: (
                            sum(  # type: ignore[misc]
                                line["event"] == event and line.get("member") == f"n{member}" for line in told
                            )
                            >= times
                        )
                    )

    def part(self) -> None:
        """Move the west onto a wire of its own, to which the operator is connected, too."""
        hub, operator = self.hosts[1], self.operator
        hub.ip("link", "add", "west", "type", "bridge")
        hub.ip("link", "set", "west", "up", "addrgenmode", "none")
        hub.ip("link", "add", "side", "type", "veth", "peer", "name", "eth1", "netns", operator.name)
        hub.ip("link", "set", "side", "master", "west", "up", "addrgenmode", "none")
        operator.ip("link", "set", "eth1", "up", "addrgenmode", "none")
        for number in WEST:
            hub.ip("link", "set", f"port{number - 1}", "master", "west")
            operator.ip("route", "add", f"10.77.0.{number}/32", "dev", "eth1", "src", f"10.77.0.{OPERATOR}")

    def heal(self) -> None:
        """Put all on one wire again."""
        for number in WEST:
            self.hosts[1].ip("link", "set", f"port{number - 1}", "master", "hub")
            self.hosts[number].ip("neighbour", "flush", "dev", "eth0")  # where the operator was
        self.operator.ip("link", "delete", "eth1")
