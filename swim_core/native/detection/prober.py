"""Probing: by cluster time all members agree on the pairs, so each shows life exactly once per interval.

One member of a pair pings and the other acks, so each learns that the other is alive. A member whose partner fails to
ping it in time sends the ping instead. So one exchange examines two members, and a round costs half as much as if each
member were pinged.
"""

from functools import partial

from swim_core.native.context import NodeContext
from swim_core.native.table.entry import Entry
from swim_core.shared.local_health import LocalHealth
from swim_core.shared.timers import Timer

from .pairing import meeting, moment
from .pings import Pings

__all__ = ["Prober"]


class Prober:
    """Takes this node's turn in every round, and reports members that did not answer."""

    def __init__(self, context: NodeContext, pings: Pings, health: LocalHealth, now: float) -> None:
        self._hub = context.hub
        self._interval_ms = context.config.probe_interval * 1000.0
        self._timers = context.timers
        self._clock = context.clock
        self._table = context.table
        self._topology = context.table.topology
        self._pings = pings
        self._rtt = context.rtt
        self._health = health
        self._counters = context.counters
        self.probes: dict[int, Timer] = {}
        """Probes under way: the deadline of each, by the short id of the member that was pinged."""
        self.awaited: Entry | None = None
        """The member that is to ping this node in the planned round; None if this node pings, or nobody does."""
        self._partner: Entry | None = None  # None if this node is left over, or alone
        self._besides: Entry | None = None  # the left-over member that this node pings as well
        self._opens = now  # from then on, a datagram from the partner counts as this round's meeting
        self._timer: Timer | None = None
        self._planned_round = -1
        self._round = -1  # the last round in which the turn was taken
        self._planned: tuple[int, int] | None = None
        self._met = False
        self._taken = now
        self.enabled = True
        """False once this node is superseded or has left: rounds go on, probes don't."""

    def settle(self, now: float) -> None:
        """Replan the turn if the partner showed up, or members or the clock changed; called after every input."""
        if self._planned != (self._topology.version, self._clock.moved):
            if self._met:
                self._end_turn(now)
            elif (
                self.awaited is None or now < self._opens
            ):  # otherwise the meeting is due: changes don't excuse the partner
                self._plan(now)

    def showed_up(self, now: float) -> None:
        """Take a datagram from the awaited member: if it is time, that was this round's meeting."""
        if now >= self._opens:
            self._met, self._planned = True, None

    def _plan(self, now: float) -> None:
        self._planned = (self._topology.version, self._clock.moved)
        me = self._table.get(self._table.local_name)
        assert me is not None
        if self._timer is not None:
            self._timer.cancel()
        interval = self._interval_ms
        cluster_ms = self._clock.exact(now)
        round_ = max(int(cluster_ms // interval), 0)
        if round_ <= self._round <= round_ + 1:  # already taken; a later one means that the clock was set back
            round_ = self._round + 1
        while True:
            pings = self._meet(me, round_)
            partner = self._partner
            at = moment(me.phase, (partner or me).phase, round_, interval)
            if at > cluster_ms:
                break
            round_ += 1
        self._planned_round = round_
        latest = max(now, self._taken + 2 * interval / 1000.0)  # turns go on even if others push the clock ahead
        when = min(now + (at - cluster_ms) / 1000.0, latest)
        self.awaited = None if pings else partner
        if self.awaited is not None:
            grace = self._rtt.probe_timeout / 2
            self._opens = when - grace
            when += grace
        self._timer = self._timers.at(when, self._take_turn)

    def _meet(self, me: Entry, round_: int) -> bool:
        """Look up this node's partner in a round; returns whether this node pings."""
        live = self._table.live_count
        self._partner = self._besides = None
        if live < 2 or not me.live:
            return False
        order = self._topology.order
        place = order.index(me.phase)
        while order[place] is not me:
            place += 1
        meets = meeting(place, round_, live)
        if meets.partner != place:
            self._partner = order[meets.partner]
        if meets.besides is not None:
            self._besides = order[meets.besides]
        return meets.pings

    def _take_turn(self, now: float) -> None:
        """Ping the partner, either in this node's turn or because the partner failed to."""
        if self.enabled and self._partner is not None and self._partner.live:
            self.probe(self._partner, now)
        self._end_turn(now)

    def _end_turn(self, now: float) -> None:
        if self.enabled and self._besides is not None and self._besides.live:
            self.probe(self._besides, now)
        self._round, self._taken, self._met = self._planned_round, now, False
        self._hub.round_ended(now)
        self._plan(now)

    def probe(self, target: Entry, now: float) -> None:
        """Ping a member, and report it if it shows no sign of life in time."""
        self._pings.send(target, now)
        self.expect(target, now)

    def expect(self, target: Entry, now: float) -> None:
        """Note that a member was pinged: report it if it shows no sign of life in time."""
        short_id = target.short_id
        if short_id in self.probes:
            return  # an earlier probe is under way; its deadline holds
        timed_out = partial(self._timed_out, target, short_id, now)
        self.probes[short_id] = self._timers.at(now + self._rtt.probe_timeout, timed_out)

    def _timed_out(self, target: Entry, short_id: int, sent: float, now: float) -> None:
        del self.probes[short_id]
        if target.short_id == short_id and target.live and not self._health.deaf:
            self._counters.probes_failed += 1
            self._hub.probe_failed(target, sent, now)

    def heard(self, short_id: int) -> None:
        """End the probe of a member that showed life."""
        self.probes.pop(short_id).cancel()

    def drop(self) -> None:
        """Forget the probes under way: this node paused, so missed deadlines are not the members' fault."""
        for timer in self.probes.values():
            timer.cancel()
        self.probes.clear()
