"""Probing: by cluster time all agree who probes whom, so each member is probed exactly once per interval.

In round r the member at place i of the phase order probes the one at place i + o(r) when cluster time
is (r + phase of the probed) x T, with o(r) = 1 + floor(frac(r x golden ratio) x (n - 1)): a fraction of
the order, so a view that differs by one member shifts by at most one place (detection.md, section A).
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

from .address import Address
from .clock import moment
from .common import Common
from .health import Health
from .membership import Entry
from .pings import Pings
from .timers import Timer

__all__ = ["Prober"]

GOLDEN = 0.6180339887498949
DEAF_PINGS = 16  # members asked per round while nobody is heard


def offset(round_: int, members: int) -> int:
    """How far along the order the one to probe stands, 1 to ``members`` - 1, for at least two members."""
    return 1 + math.floor(math.modf(round_ * GOLDEN)[0] * (members - 1))


class Prober:
    """Takes this node's turn in every round, and reports who did not answer."""

    def __init__(
        self,
        common: Common,
        pings: Pings,
        health: Health,
        *,
        seeds: Callable[[], Sequence[Address]],
        on_timeout: Callable[[Entry, float, float], None],
        on_round: Callable[[float], None],
        now: float,
    ) -> None:
        self._interval_ms = common.config.probe_interval * 1000.0
        self._timers = common.timers
        self._clock = common.clock
        self._membership = common.membership
        self._pings = pings
        self._rtt = common.rtt
        self._health = health
        self._random = common.random
        self._counters = common.counters
        self._seeds = seeds
        self._on_timeout = on_timeout
        self._on_round = on_round
        self.probes: dict[int, Timer] = {}
        """Probes under way: the deadline of each, by the short id of whom it went to."""
        self._turn: Timer | None = None
        self._target: Entry | None = None
        self._target_round = -1
        self._round = -1  # the last one in which the turn was taken
        self._planned: tuple[int, int] | None = None
        self._taken = now
        self.enabled = True
        """False once superseded or left: rounds go on, probes don't."""

    def settle(self, now: float) -> None:
        """Plan the next turn anew if members or the clock changed; called after every input."""
        if self._planned != (self._membership.version, self._clock.moved):
            self._plan(now)

    def _plan(self, now: float) -> None:
        self._planned = (self._membership.version, self._clock.moved)
        if self._turn is not None:
            self._turn.cancel()
        cluster_ms = self._clock.exact(now)
        round_ = max(int(cluster_ms // self._interval_ms), 0)
        if round_ <= self._round <= round_ + 1:  # taken already; a later one means that the clock was set back
            round_ = self._round + 1
        while True:
            target = self._target_of(round_)
            at = moment(target.phase, round_, self._interval_ms)
            if at > cluster_ms:
                break
            round_ += 1
        self._target, self._target_round = target, round_
        latest = max(now, self._taken + 2 * self._interval_ms / 1000.0)  # a clock that is pushed on stops no turns
        when = min(now + (at - cluster_ms) / 1000.0, latest)
        self._turn = self._timers.at(when, self._take_turn)

    def _target_of(self, round_: int) -> Entry:
        """Whom this node probes in a round; itself while it is alone (the round is for housekeeping then)."""
        live = self._membership.live_count
        me = self._membership.get(self._membership.local_name)
        assert me is not None
        if live < 2 or not me.live:
            return me
        return self._membership.order.beyond(me.phase, me, offset(round_, live))

    def _take_turn(self, now: float) -> None:
        self._round, self._taken = self._target_round, now
        target = self._target
        if self.enabled and target is not None and target.name != self._membership.local_name and target.live:
            self.probe(target, now)
        if self.enabled and self._health.deaf:
            self._call_for_anyone(now)
        self._on_round(now)
        self._plan(now)

    def probe(self, target: Entry, now: float) -> None:
        """Ping a member, and report it if it shows no sign of life in time."""
        self._pings.send(target, now)
        self.expect(target, now)

    def expect(self, target: Entry, now: float) -> None:
        """A member was pinged: report it if it shows no sign of life in time."""
        short_id = target.short_id
        if short_id in self.probes:
            return  # an earlier probe is still under way; its deadline stands
        timed_out = partial(self._timed_out, target, short_id, now)
        self.probes[short_id] = self._timers.at(now + self._rtt.probe_timeout, timed_out)

    def _timed_out(self, target: Entry, short_id: int, sent: float, now: float) -> None:
        del self.probes[short_id]
        if target.short_id == short_id and target.live and not self._health.deaf:
            self._counters.probes_failed += 1
            self._on_timeout(target, sent, now)

    def heard(self, short_id: int) -> None:
        """A member showed life: its probe is answered."""
        self.probes.pop(short_id).cancel()

    def drop(self) -> None:
        """Forget the probes under way: this node paused, and their time is up through no fault of theirs."""
        for timer in self.probes.values():
            timer.cancel()
        self.probes.clear()

    def _call_for_anyone(self, now: float) -> None:
        others = list(self._membership.others())
        chosen = self._random.sample(others, min(len(others), DEAF_PINGS))
        seeds = (self._membership.live_at(address) for address in self._seeds())
        for entry in chosen + [seed for seed in seeds if seed is not None and seed not in chosen]:
            self._pings.send(entry, now)
