"""The parts of a Smudge node, each made from those above it, and what follows when this node hears nobody or stalls."""

from collections import deque
from math import inf
from random import Random

from swim_core.address import Address
from swim_core.counters import Counters
from swim_core.discovery import Multicast
from swim_core.events import Event, Paused
from swim_core.member import Member, State
from swim_core.shared.isolation import isolation_began, isolation_ended
from swim_core.shared.local_health import Limits, LocalHealth
from swim_core.shared.timers import Timers
from swim_core.statistics import Statistics

from .broadcasts import Broadcasts
from .detector import Detector
from .gossip import Gossip
from .heartbeat import Heartbeat
from .inbox import Inbox
from .outbox import Outbox
from .peers import Peers
from .push import Push
from .receiver import Receiver
from .relay import Relay
from .roundtrips import RoundTrips
from .seeds import Seeds
from .settings import SmudgeSettings
from .status import StatusRules
from .turns import Turns

__all__ = ["Parts"]

SHORTEST = 0.25  # seconds: pings wait about that long for an answer, however often they are sent
UNREACHED = 7  # intervals within which the others consider a node dead that they don't hear


class Parts:
    """Makes the parts, and gives them a turn each interval."""

    def __init__(self, local: Address, config: SmudgeSettings, now: float, random: Random, unix_ms: int) -> None:
        self._local = local
        self._config = config
        self._start_ms = unix_ms - now * 1000
        self._multicast: Multicast | None = None
        self.events: deque[Event] = deque()
        emit = self.events.append
        self.counters = counters = Counters()
        self.timers = timers = Timers()
        self.peers = peers = Peers(config.max_members)
        self.heartbeat = heartbeat = Heartbeat(unix_ms)
        self.trips = trips = RoundTrips(config)
        self.inbox = Inbox(local, config, counters, lambda address: peers.get(address) is not None)
        usual = max(config.interval, SHORTEST)
        limits = Limits(usual, max(0.25 * config.interval, 0.25), UNREACHED * usual)
        self.health = health = LocalHealth(limits, counters, now, timers, on_pause=self._paused)
        self.gossip = gossip = Gossip(peers, random)
        self.broadcasts = broadcasts = Broadcasts(peers, config.interval)
        self.outbox = outbox = Outbox(local, peers, gossip, broadcasts, counters)
        self.push = push = Push(peers, gossip, broadcasts, outbox, timers, random)
        self.statuses = statuses = StatusRules(local, peers, heartbeat, gossip, push, counters, emit, self.wall_ms)
        self.detector = detector = Detector(
            local,
            peers,
            heartbeat,
            trips,
            statuses,
            outbox,
            push,
            timers,
            random,
            counters,
            emit,
            health,
            self._answered,
        )
        self.pings = detector.pings
        relay = Relay(local, heartbeat, outbox, timers, counters)
        self.receiver = Receiver(
            local, peers, heartbeat, statuses, detector, relay, broadcasts, outbox, push, counters, emit
        )
        self._turns = Turns(local, peers, heartbeat, detector, statuses)
        self.seeds = Seeds(local, peers, self.pings, timers, random, emit)
        timers.at(now, self._turn)

    def others(self) -> list[Member]:
        """The live nodes but this one."""
        return [peer.member for peer in self.peers if peer.live]

    def wall_ms(self, now: float) -> int:
        """The wall clock in ms since 1970, as far as this node's own clock tells."""
        return max(0, int(self._start_ms + now * 1000))

    def statistics(self) -> Statistics:
        """See `SmudgeNode.statistics`."""
        states = dict.fromkeys((State.ALIVE, State.SUSPECT, State.DEAD), 0)
        for peer in self.peers:
            states[peer.member.state] += 1
        states[State.ALIVE] += 1
        return Statistics(
            **self.counters.snapshot(),
            members=states,
            deaf=self.health.deaf,
            isolated=self.health.isolated,
            superseded=False,
            seeds=len(self.seeds.addresses),
            seeds_unanswered=len(self.seeds.unanswered),
            watches=len(self.detector),
            pending=len(self.gossip),
            retained_broadcasts=len(self.broadcasts),
            round_trips=self.trips.samples.histogram,
            rtt_p50=self.trips.samples.quantile(0.5),
            rtt_p99=self.trips.samples.quantile(0.99),
            cluster_time=self.wall_ms(self.health.seen),
        )

    def _turn(self, now: float) -> None:
        self.timers.at(now + self._config.interval, self._turn)
        self.broadcasts.expire(now)
        if self.health.check(len(self.peers.live) + 1, now):
            others, time = self.others(), self.wall_ms(now)
            self.events += isolation_began(str(self._local), self.health.alone, others, time)
        self._turns.take(now)

    def _paused(self, seconds: float) -> None:
        """A late tick means that this process stalled, for which it accuses nobody."""
        self.detector.drop()
        if seconds > self.health.long_pause:
            self.events.append(Paused(seconds))

    def _answered(self, now: float) -> None:
        """A node answered this one, so both directions work."""
        self.health.hear(now)
        if self.health.isolated:
            _, alone = self.health.reconnect()
            self.events += isolation_ended(alone, self.others())
            self.pings.greet(now)

    def announce_to(self, multicast: Multicast, now: float) -> None:
        """Announce this node to a group, now and regularly; a second call replaces the group."""
        started = self._multicast is not None
        self._multicast = multicast
        if not started:
            self.timers.at(now, self._announce)

    def _announce(self, now: float) -> None:
        if self._multicast is None:
            return
        self.outbox.announce(self._config.cluster_name, self.heartbeat.value, self._multicast.group_for(self._local))
        if self._multicast.interval < inf:
            self.timers.at(now + self._multicast.interval, self._announce)

    def silence(self) -> None:
        """Say nothing more, and do nothing."""
        self.outbox.clear()
        self.timers.clear()
