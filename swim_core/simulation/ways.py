"""Checks that each mechanism does its part, since views come right in the end in any of several ways."""

from math import inf

import attrs

from swim_core.address import Address
from swim_core.events import Event, Paused
from swim_core.native.config import Config
from swim_core.native.wire.datagram import Envelope
from swim_core.native.wire.messages import Ping, SyncPage, SyncReq

from .cluster import Cluster
from .deliveries import holds_live
from .judgement import VerdictsGrounded
from .old_deaths import OldDeathsHeldBack
from .pages_whole import PagesWhole
from .process import Process, Stop
from .violation import require
from .wiretap import Wiretap

__all__ = ["FloodsOnRings", "ProbedInTime", "SyncsLevel", "watch_ways"]

QUIET = 3.0  # probe intervals without a disturbance, after which views and pairs are settled


class _Quiet(Wiretap):
    """Notes when the cluster was last disturbed, and judges only what happened in quiet times."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self.disturbed = cluster.now
        self.disturbances = 0
        self.at_once = 0  # in the moment of the last one
        self._before = cluster.now  # the disturbance before that

    def disturb(self) -> None:
        now = self.cluster.now
        if now > self.disturbed:
            self._before = self.disturbed
        self.at_once = self.at_once + 1 if now == self.disturbed else 1
        self.disturbed = now
        self.disturbances += 1

    def quiet_before(self) -> bool:
        """Whether it was quiet before this moment, whatever happens in it, and whether everything arrives."""
        last = self._before if self.disturbed == self.cluster.now else self.disturbed
        settled = self.cluster.now - last >= QUIET * self.config.probe_interval
        return settled and self.cluster.network.clear

    def on_start(self, process: Process) -> None:
        self.disturb()

    def on_stop(self, process: Process, how: Stop) -> None:
        self.disturb()

    def on_pause(self, process: Process) -> None:
        self.disturb()

    def on_wake(self, process: Process) -> None:
        self.disturb()

    def on_network(self) -> None:
        self.disturb()


class ProbedInTime(_Quiet):
    """In quiet times every member meets another in each round, so that one that ends or stalls is soon pinged."""

    ROUNDS = 1.6  # between two meetings: they lie in the first quarter of a round, and one waits up to a quarter more

    JUMP = 0.1  # seconds of cluster time

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._pinged: dict[Address, float] = {}
        self._pings: dict[Address, float] = {}
        self._ahead = -inf

    def on_event(self, process: Process, event: Event) -> None:
        if isinstance(event, Paused):  # as of a machine that slept
            self.disturb()

    def on_said(self, process: Process, destination: Address, said: Envelope) -> None:
        if isinstance(said.message, Ping):
            ahead = said.message.time / 1000 - self.cluster.now
            if ahead > self._ahead + self.JUMP:  # after which all plan their rounds anew
                self.disturb()
            self._ahead = max(self._ahead, ahead)
            self._pinged[destination] = self._pings[process.address] = self.cluster.now

    def on_stop(self, process: Process, how: Stop) -> None:
        self.disturb()
        if how is not Stop.LEFT:
            self._expect(process)

    def on_pause(self, process: Process) -> None:
        self.disturb()
        self._expect(process)

    def _expect(self, process: Process) -> None:
        others = [other for other in self.cluster.running() if other is not process]
        known = others and all(holds_live(other, process) for other in others)
        within = self.ROUNDS * self.config.probe_interval
        if known and self.quiet_before():
            self._require_met(others, self.cluster.now - within)
            self.cluster.after(within, self._check, process, self.cluster.now, self.disturbances)
        else:
            self.cluster.excused["probes"] += 1

    def _require_met(self, others: list[Process], since: float) -> None:
        for other in others:
            met = max(self._pinged.get(other.address, -inf), self._pings.get(other.address, -inf))
            alone = other.node.statistics().superseded
            require(met >= since or alone, f"{other.label} last met another {self.cluster.now - met:.2f} s ago")

    def _check(self, process: Process, since: float, disturbances: int) -> None:
        if self.disturbances > disturbances or (self.disturbed == since and self.at_once > 1):
            self.cluster.excused["probes"] += 1
            return
        self.cluster.judged["probes"] += 1
        pinged = self._pinged.get(process.address, -inf) >= since
        require(pinged, f"nobody pinged {process.label} within {self.cluster.now - since:.2f} s of its end or stall")


@attrs.frozen
class _Flood:
    origin: Process
    since: float
    copies: set[tuple[Process, int]] = attrs.field(factory=set)  # by receiver and sender
    told: list[float] = attrs.field(factory=list)  # when the origin told it


class FloodsOnRings(_Quiet):
    """In quiet times a broadcast reaches each member through several others, and its origin repeats it."""

    AMONG = 14  # members, at least
    WITHIN = 1.0  # seconds
    COPIES = 2.5  # of different senders at each member, on average: there are four rings
    DIRECT = 64  # up to this many others, each hears it from its origin and from one other
    DIRECT_COPIES = 1.8
    APART = 0.04  # seconds between two tellings

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._floods: dict[tuple[str, int, int], _Flood] = {}

    def on_broadcast(self, process: Process, number: int, payload: bytes) -> None:
        if len(self.cluster.running()) < self.AMONG or self._floods or not self.quiet_before():
            return
        local = process.node.local
        key = (local.name, local.epoch, number)
        self._floods[key] = _Flood(process, self.cluster.now)
        self._floods[key].told.append(self.cluster.now)  # it was told before this was called
        self.cluster.after(self.WITHIN, self._check, key)

    def on_said(self, process: Process, destination: Address, said: Envelope) -> None:
        if self._floods:
            for broadcast in said.broadcasts:
                flood = self._floods.get((broadcast.origin, broadcast.epoch, broadcast.number))
                if flood is not None and flood.origin is process:
                    flood.told.append(self.cluster.now)

    def on_heard(self, process: Process, source: Address, said: Envelope, *, deaf: bool) -> None:
        if self._floods:
            for broadcast in said.broadcasts:
                flood = self._floods.get((broadcast.origin, broadcast.epoch, broadcast.number))
                if flood is not None and process is not flood.origin:
                    flood.copies.add((process, said.sender))

    def _check(self, key: tuple[str, int, int]) -> None:
        flood = self._floods.pop(key)
        if self.disturbed >= flood.since or not self.cluster.network.clear:
            self.cluster.excused["floods"] += 1
            return
        self.cluster.judged["floods"] += 1
        others = len(self.cluster.running()) - 1
        required = (self.COPIES if others > self.DIRECT else self.DIRECT_COPIES) * others
        require(
            len(flood.copies) >= required,
            f"broadcast {key[2]} of {key[0]} reached {others} others by {len(flood.copies)} ways: it takes {required}",
        )
        again = max(flood.told) - min(flood.told) >= self.APART
        require(again, f"{key[0]} told its broadcast {key[2]} once only")


@attrs.define
class _Exchange:
    """The last sync that a node began."""

    id: int
    began: float
    done: bool = False


class SyncsLevel(_Quiet):
    """After a sync each side knows the members that the other knew, provided that they had been there for a while.

    This is not judged while others start: a newcomer asks any member for its next page, and may ask another newcomer
    that knows no more than it does.
    """

    SETTLED = 1.0  # seconds that a process must have run: floods tell of those that start meanwhile
    WITHIN = 0.4  # seconds after the last page: a hundred unknown ones are asked as answers give credit, some twice
    IN_VAIN = 2.0  # seconds from the first ping to one of hearsay until it is let in, asked again, or rests

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._exchanges: dict[Process, _Exchange] = {}
        self._in_vain: dict[tuple[Process, Address], float] = {}  # pings while not everything could pass

    def on_said(self, process: Process, destination: Address, said: Envelope) -> None:
        request = said.message
        if isinstance(request, Ping) and not self.cluster.network.clear:
            self._in_vain[process, destination] = self.cluster.now
        if isinstance(request, SyncReq):
            exchange = self._exchanges.get(process)
            if exchange is None or exchange.id != request.id:
                self._exchanges[process] = _Exchange(request.id, self.cluster.now)

    def on_heard(self, process: Process, source: Address, said: Envelope, *, deaf: bool) -> None:
        page = said.message
        if not isinstance(page, SyncPage) or page.cursor is not None:
            return
        exchange = self._exchanges.get(process)
        other = self.cluster.network.endpoint(source)
        if exchange is None or exchange.done or exchange.id != page.id or not isinstance(other, Process):
            return
        exchange.done = True
        since = exchange.began - self.SETTLED
        newer = (each for each in self.cluster.running() if each is not process and each.started >= since)
        if self.cluster.network.clear and not any(newer):
            args = (process, other, exchange, self._known(process, exchange), self._known(other, exchange))
            self.cluster.after(self.WITHIN, self._check, self.disturbances, *args)
        else:
            self.cluster.excused["syncs"] += 1

    def _known(self, process: Process, exchange: _Exchange) -> dict[str, int]:
        """The running processes that it sees as live and that have run for a while, without ended runs of a
        namesake."""
        known = {}
        for member in process.node.members():
            namesakes = self.cluster.named(member.name)
            if (
                len(namesakes) == 1
                and namesakes[0].started < exchange.began - self.SETTLED
                and member.epoch <= namesakes[0].node.local.epoch
            ):
                known[member.name] = member.epoch
        return known

    def _check(
        self,
        disturbances: int,
        asker: Process,
        answerer: Process,
        exchange: _Exchange,
        asked: dict[str, int],
        answered: dict[str, int],
    ) -> None:
        cut_short = self._exchanges.get(asker) is not exchange or self.disturbances != disturbances
        both = (asker, answerer)
        if cut_short or any(not each.running or each.paused or each.leaving for each in both):
            self.cluster.excused["syncs"] += 1
            return
        self.cluster.judged["syncs"] += 1
        self._require_known(asker, answered, f"synced with {answerer.label}")
        self._require_known(answerer, asked, f"was synced with by {asker.label}")

    def _require_known(self, process: Process, members: dict[str, int], when: str) -> None:
        """Members that don't answer now, or were asked during a cut, are kept aside until they do."""
        held = ((name, epoch, process.node.member(name)) for name, epoch in members.items())
        lacking = [
            name
            for name, epoch, member in held
            if (member is None or member.epoch < epoch)
            and not any(_is_mute(other) or self._asked_in_vain(process, other) for other in self.cluster.named(name))
        ]
        require(not lacking, f"{process.label} {when} {self.WITHIN} s ago, and does not know {lacking}")

    def _asked_in_vain(self, process: Process, other: Process) -> bool:
        return self._in_vain.get((process, other.address), -inf) >= self.cluster.now - self.IN_VAIN


def _is_mute(process: Process) -> bool:
    return process.paused or process.node.statistics().superseded


def watch_ways(cluster: Cluster) -> None:
    """Add the checks of mechanisms, where nodes speak the native protocol."""
    if isinstance(cluster.config, Config):
        ways = (VerdictsGrounded, ProbedInTime, FloodsOnRings, OldDeathsHeldBack, SyncsLevel, PagesWhole)
        cluster.watch(*(way(cluster) for way in ways))
