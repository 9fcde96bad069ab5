"""Gossip: each update floods along K rings of the live members (docs/protocol.md, section 5).

In SWIM news rides on pings and acks, so it doubles its audience once per period and takes seconds. Here news is pushed
as soon as it comes. Each of K rings is a random permutation of the members that all members know (`Topology`), and each
member pushes what is new to it to its successor on each ring. With K random successors, all members are reached after
some log n hops, within milliseconds, for K datagrams a member. A few members that fail to pass something on stop
nothing, since the K ways of the others lead round them. At every member, each item, a claim or a broadcast, goes
through these states:

    unknown -> waiting    it came, and is higher than what was held (`ClaimMerger`), or was not seen yet (`Broadcasts`)
    waiting -> pushed     in the next push, to all successors; it may ride on other datagrams before
    waiting -> outdated   a higher claim about the same name takes its place in the `GossipQueue`
    pushed  -> waiting    once or twice more where this node is the originator, and once if it is a death by rings

After that it is forgotten: an item that comes again is not news, so a flood ends by itself. Digests in acks show what a
flood has missed, and a sync repairs it (`Sync`); broadcasts have numbers for that (`Repair`).

Two bounds keep this cheap. Pushes have a credit and a rate, so that items which come together share datagrams. And when
many members end at once, claims are pushed rarely, since there are many and the speed of each matters little. With up
to a dozen members a push goes to all. While many members are under watch, these are passed over, since they probably
hear nothing.

With up to 64 others a broadcast, and a death that kernels show, take one hop: their originator tells all. (Of several
deaths at once only the first, since many originators would then send much.) On a machine where all members share a few
cores, what takes time is waking them and the copies that each must read.
"""

from collections.abc import Callable, Sequence
from math import inf
from typing import Protocol

from msgspec import Raw

from swim_core.counters import DropReason
from swim_core.member import Rule, State
from swim_core.native.context import NodeContext
from swim_core.native.datagrams.gossip_queue import GossipQueue, Piggyback
from swim_core.native.table.entry import Entry
from swim_core.native.wire.claim import Claim
from swim_core.native.wire.datagram import encode_item
from swim_core.shared.local_health import LocalHealth
from swim_core.shared.rate_limit import RateLimit

from .arrivals import Arrivals

__all__ = ["Audience", "Gossip"]

GAP = 0.02  # seconds between two pushes in the long run
CREDIT = 4  # pushes that may follow each other at once, so that news that comes together needn't wait at every hop
# While many members end at once, claims come one by one from all sides, which made 300 datagrams a second. So claims
# without broadcasts then wait a little longer, and go together.
RARE_GAP, RARE_BURST = 0.2, 2  # seconds between two pushes, and datagrams to each target in one
RARE_FOR = 2.0  # seconds for which that holds after its last sign: the verdicts come last
ACCUSATIONS, ACCUSATIONS_AT_ONCE = 4, 8  # a second; more are such a sign
BURST = 4  # datagrams to each target in one push
RELAYED = 12  # datagrams in one push to the one member that is told what a dozen have to say
IN_THE_NEWS = 1.0  # seconds after an accusation or a death for which pushes are charged to the budget for trouble
OWING = 0.05  # seconds until the budget for trouble has something left, from which on even few are told along the rings
SMALL = 12  # up to this many others, all are told: rings would save nothing
DIRECT = 64  # up to this many, an originator tells all of a broadcast or the end of a process, in one hop
DIRECT_PER_SECOND, DIRECT_AT_ONCE = 30, 64  # datagrams about ends that their originator tells all: of more, rings tell
# Broadcasts a second, and at once, up to which that holds if there are more than SMALL: where many come from all sides,
# rings save datagrams, since what comes together goes on together. Members stop relying on origins sooner than origins
# stop telling all.
LIVELY, CROWDED = 10, 20
CALM_AFTER = 1.0  # seconds after the last broadcast that was too many
RELAY_AFTER = 0.025  # seconds until that is passed on of which an originator tells all: the first copies come first
REPEATS = (0.05, 0.2)  # seconds after which an originator tells again, so that no flood dies at its source
# Every member tells of a death once more: while packets are lost, or many die, all K predecessors of a member may fail
# it, and digests would take a second or two to show that. Among many members that lose no packets, the first copies
# come first: on a machine that all share, they may take that long.
DEATH_REPEATS, CALM_DEATH_REPEATS = REPEATS[:1], REPEATS[-1:]


class Audience(Protocol):
    """The members that can probably hear what is sent."""

    @property
    def many(self) -> bool:
        """Whether many members may not hear, so that the choice of targets matters."""

    def hears(self, entry: Entry) -> bool:
        """Whether that member can probably hear."""


class Gossip:
    """Pushes pending items to the ring successors, at once if the last push is long enough ago."""

    def __init__(self, context: NodeContext, queue: GossipQueue, audience: Audience, health: LocalHealth) -> None:
        self._limit = context.config.max_pending
        self._timers = context.timers
        self._table = context.table
        self._outbox = context.outbox
        self._trouble = context.trouble
        self._queue = queue
        self._counters = context.counters
        self._rate = RateLimit(1 / GAP, CREDIT)
        self._direct = RateLimit(DIRECT_PER_SECOND, DIRECT_AT_ONCE)
        self._told = RateLimit(DIRECT_PER_SECOND, DIRECT_AT_ONCE)  # what any originator can have told all by now
        self._accusations = RateLimit(ACCUSATIONS, ACCUSATIONS_AT_ONCE)
        self._audience = audience
        self._pushed = self._many = self._accused = -inf
        self._scheduled = self._relays_scheduled = False
        self._verdict = False  # whether a verdict of this node is to be told to all
        self._few, self._some = RateLimit(LIVELY, LIVELY), RateLimit(CROWDED, CROWDED)
        self._lively_until = self._crowded_until = -inf
        self._health = health
        self._arrivals = Arrivals(context, queue)
        self._chosen: list[Entry] = []
        self._all_chosen = False  # whether those are all others
        self._chosen_in = -1  # the version of the topology in which they were chosen

    @property
    def full(self) -> bool:
        """Whether ``max_pending`` items wait: then there is no room for broadcasts, while claims are always taken."""
        return len(self._queue) >= self._limit

    @property
    def busy(self) -> bool:
        """Whether so many items wait that floods are slow."""
        return self._queue.busy

    def tell_claim(self, claim: Claim, now: float, *, originator: bool = False, newcomer: bool = False) -> None:
        """Tell a claim, again if it is not outdated by then: an originator twice, every member a death once. That of a
        ``newcomer`` may wait for others.

        A death of which the originator has told all is not urgent here, and if it is the first for a while, everybody
        passes it on to two members, and to the other successors after a while.
        """
        if claim.state is State.ALIVE and not originator:
            if newcomer:
                self._arrivals.tell(claim, now)
            else:
                self._queue.claim(claim)
            return
        if claim.state in (State.SUSPECT, State.DEAD):
            self._accused = now
            if not self._accusations.allow(now):
                self._many = now
        direct = _is_end(claim) and self._is_small(DIRECT) and not self._rarely(now)
        if originator and direct:
            direct = self._direct.allow(now, self._table.live_count - 1)
        if direct and not originator and self._trusts(now) and self._told.allow(now, self._table.live_count - 1):
            self._timers.at(now + RELAY_AFTER, lambda at: self._pass_on(claim, slice(2), at))
            self._timers.at(now + REPEATS[-1], lambda at: self._pass_on(claim, slice(2, None), at))
            return
        self._queue.claim(claim)
        self._verdict = self._verdict or (originator and direct)
        if originator or claim.state is State.DEAD:
            others = CALM_DEATH_REPEATS if self._trusts(now) and not self._is_small(DIRECT) else DEATH_REPEATS
            self._repeat(now, lambda: self._tell_if_current(claim), REPEATS if originator else others)

    def _tell_if_current(self, claim: Claim) -> None:
        if self._is_current(claim):
            self._queue.claim(claim)

    def _is_current(self, claim: Claim) -> bool:
        entry = self._table.get(claim.name)
        return entry is not None and entry.claim == claim

    def _pass_on(self, claim: Claim, which: slice, now: float) -> None:
        """Pass on to some successors what its originator has told all."""
        if self._is_current(claim):
            some = self._table.topology.successors()[which]
            self._trouble.spend(now, len(some))
            self._outbox.spread(Piggyback([encode_item(claim)]), some, now)

    def tell_broadcast(self, origin: int, number: int, encoded: Raw, now: float, *, originator: bool = False) -> bool:
        """Tell a broadcast; False if there is no room (counted). An originator tells it again."""
        if self.full:
            self._counters.drop(DropReason.PENDING_FULL)
            return False
        self._queue.broadcast(origin, number, encoded, own=originator)
        self._count_broadcast(now)
        if originator:
            delays = REPEATS[-1:] if self._tells_all(now) and self._trusts(now) else REPEATS
            self._repeat(now, lambda: self._queue.broadcast(origin, number, encoded, own=True), delays)
        return True

    def _repeat(self, now: float, again: Callable[[], None], delays: Sequence[float] = REPEATS) -> None:
        def act(at: float) -> None:
            again()
            self.settle(at)

        for delay in delays:
            self._timers.at(now + delay, act)

    def push_now(self, now: float) -> None:
        """Push without regard to the credit: after a goodbye the process may end before the next push is due."""
        if self._queue.any:
            self._push(now)

    def settle(self, now: float) -> None:
        """Push pending items, or plan to; called after every input that left something pending."""
        if not self._queue.any or self._scheduled:
            return
        if self._queue.relays_only and self._told_by_origins(now):
            if not self._relays_scheduled:
                self._relays_scheduled = True
                self._timers.at(now + RELAY_AFTER, self._relay_later)
            return
        self._push_or_plan(now)

    def _relay_later(self, now: float) -> None:
        self._relays_scheduled = False
        if self._queue.any and not self._scheduled:
            self._push_or_plan(now)

    def _push_or_plan(self, now: float) -> None:
        if not self._table.has_others:
            self._queue.clear()  # there is nobody to tell, and a newcomer will ask for everything
            return
        if self._wait(now) <= 0:
            self._rate.allow(now)
            self._push(now)
        if self._queue.any:
            self._scheduled = True
            self._timers.at(now + max(self._wait(now), GAP / 2), self._push_later)

    def _rarely(self, now: float) -> bool:
        if self._audience.many:
            self._many = now
        return now - self._many < RARE_FOR and not self._queue.has_broadcasts

    def _wait(self, now: float) -> float:
        """Seconds until the next push."""
        return max(self._rate.wait(now), self._pushed + RARE_GAP - now if self._rarely(now) else 0.0)

    def _push_later(self, now: float) -> None:
        self._scheduled = False
        if self._queue.any:
            self._push_or_plan(now)

    def _push(self, now: float) -> None:
        self._pushed = now
        burst = RARE_BURST if self._rarely(now) else BURST
        to_all, self._verdict = self._verdict or (self._queue.has_own and self._tells_all(now)), False
        if self._audience.many or not self._is_small(DIRECT):
            self._tell(self._targets(now), self._queue.take, burst, now)
            return
        saves_relays = self._told_by_origins(now)
        if not (to_all or saves_relays):
            # The same burst for own broadcasts and others': an origin that pushes faster than others pass on makes them
            # drop what it says.
            self._tell(self._targets(now), self._queue.take, 2 * burst, now)
            return
        targets = list(self._table.topology.others()) if to_all else self._targets(now)
        if not self._queue.relays_only:
            rides_along = self._queue.fits(self._outbox.room(targets))  # then it costs no datagram to tell all of it
            self._tell(targets, self._queue.take if rides_along else self._queue.take_but_relayed, burst, now)
        if saves_relays:
            self._relay(now)
        else:
            self._tell(self._targets(now), self._queue.take, burst, now)

    def _relay(self, now: float) -> None:
        """Pass on what others broadcast, each to one member that is not its origin, which has told all itself."""
        following = self._table.topology.following(2) if self._queue.has_relayed else ()
        if following:
            first, *second = following
            origin = first.short_id
            self._tell([first], lambda room: self._queue.take_relayed(room, lambda run: run != origin), RELAYED, now)
            self._tell(second, lambda room: self._queue.take_relayed(room, lambda run: run == origin), RELAYED, now)

    def _tell(self, targets: Sequence[Entry], take: Callable[[int], Piggyback], burst: int, now: float) -> None:
        room = self._outbox.room(targets)
        while burst and self._queue.any and (riding := take(room)):
            burst -= 1
            if now - self._accused < IN_THE_NEWS and not riding.broadcasts:
                self._trouble.spend(now, len(targets))
            self._outbox.spread(riding, targets, now)

    def _is_small(self, most: int) -> bool:
        """Whether there are so few others."""
        return self._table.live_count - 1 <= most

    def _trusts(self, now: float) -> bool:
        """Whether what an originator tells all is taken to arrive: no packets are being lost as far as this node knows.

        An originator tells all whatever it knows of that, since the others may not know it, and then wait for its copy.
        """
        return not self._health.wary(now)

    def _tells_all(self, now: float) -> bool:
        """Whether the origin of a broadcast tells all of it, twice."""
        return self._is_small(SMALL if now < self._crowded_until else DIRECT)

    def _told_by_origins(self, now: float) -> bool:
        """Whether a broadcast of another is passed on to one member only, since its origin tells all.

        That is three datagrams a member; if all three are lost, a ping soon shows that one is missing.
        """
        return self._is_small(SMALL if now < self._lively_until else DIRECT) and self._trusts(now)

    def _count_broadcast(self, now: float) -> None:
        if not self._few.allow(now):
            self._lively_until = now + CALM_AFTER
        if not self._some.allow(now):
            self._crowded_until = now + CALM_AFTER

    def _targets(self, now: float) -> list[Entry]:
        """The members that this node tells, looked up anew when members come or go. While many may be gone, those that
        are not."""
        topology = self._table.topology
        if self._audience.many:
            self._chosen_in = -1
            return topology.successors(self._audience.hears)
        if topology.version != self._chosen_in:
            self._chosen_in = topology.version
            self._all_chosen = self._is_small(SMALL)
            self._chosen = list(topology.others()) if self._all_chosen else topology.successors()
        if self._all_chosen and self._trouble.wait(now) > OWING:  # then a dozen are too many, too
            return topology.successors()
        return self._chosen


def _is_end(claim: Claim) -> bool:
    """Whether a claim says that a process has ended, as kernels say. Its accuser has told all if there are few."""
    return claim.state is State.DEAD and claim.verdict is not None and claim.verdict.rule is Rule.GONE
