"""Broadcasts: delivered at most once, never to their origin, and to all that stayed connected."""

from collections import Counter

import attrs

from swim_core.events import BroadcastReceived, BroadcastsLost, Event, MemberDied, MemberJoined

from .cluster import Cluster
from .observer import Observer
from .obstruction import INFINITY, Obstructions
from .process import Process, Stop
from .violation import require

__all__ = ["DeliveredOnce", "DeliveredToAll", "Key", "holds_live", "key_of"]

Key = tuple[str, int, int]
"""Which broadcast: its origin, the epoch of the origin's run, and its number."""


class DeliveredOnce(Observer):
    """Each broadcast that is delivered was made by another node, with the same payload, and is delivered to a node
    once.

    Args:
        running: if given, a broadcast is judged only while its origin is one of this cluster's running processes. What
            a liar said before it ended, in its own name or an invented one, may still be on its way.
    """

    def __init__(self, running: Cluster | None = None) -> None:
        self._running = running
        self._sent: dict[Key, bytes] = {}
        self._seen: dict[tuple[Process, Key], None] = {}

    def on_broadcast(self, process: Process, number: int, payload: bytes) -> None:
        self._sent[key_of(process, number)] = payload

    def on_event(self, process: Process, event: Event) -> None:
        if not isinstance(event, BroadcastReceived):
            return
        key = (event.origin.name, event.origin.epoch, event.number)
        if self._running is not None and key not in {key_of(each, event.number) for each in self._running.running()}:
            return
        require(self._sent.get(key) == event.payload, f"{process.label} got what nobody broadcast: {event}")
        require(key != key_of(process, event.number), f"{process.label} got its own: {event}")
        require((process, key) not in self._seen, f"{process.label} got it twice: {event}")
        self._seen[process, key] = None


@attrs.frozen
class _Sent:
    time: float
    origin: Process
    due: dict[Process, None]  # those that were connected to it then


class DeliveredToAll(Observer):
    """In the end every broadcast has reached each node that has been connected to its origin ever since.

    A node counts as connected if both ran and saw each other as live when the broadcast was sent; if the node had met
    its first member ``repair`` seconds earlier (it need not get what is sent before its first sync is over); if the
    origin ran for that long afterwards; and if neither has been cut off, or declared dead by anyone, since shortly
    before. Stalls are no excuse. Unless ``lossless``, a node may instead have raised `BroadcastsLost` for as many.
    """

    def __init__(
        self, cluster: Cluster, obstructions: Obstructions, *, repair: float = 3.0, lossless: bool = True
    ) -> None:
        self._cluster = cluster
        self._obstructions = obstructions
        self._repair = repair
        self._lossless = lossless
        self._given_up: Counter[tuple[Process, str, int]] = Counter()
        self._sent: dict[Key, _Sent] = {}
        self._got: dict[tuple[Process, Key], None] = {}
        self._ended: dict[Process, float] = {}
        self._met: dict[Process, float] = {}
        self._declared_dead: dict[str, float] = {}

    def on_broadcast(self, process: Process, number: int, payload: bytes) -> None:
        due = {other: None for other in self._cluster.running() if self._connected(process, other)}
        self._sent[key_of(process, number)] = _Sent(self._cluster.now, process, due)

    def _connected(self, origin: Process, other: Process) -> bool:
        return (
            other is not origin
            and not other.leaving
            and self._met.get(other, -INFINITY) <= self._cluster.now - self._repair
            and self._stayed(origin, self._cluster.now - self._repair)
            and self._stayed(other, self._cluster.now - self._repair)
            and holds_live(origin, other)
            and holds_live(other, origin)
        )

    def _stayed(self, process: Process, since: float) -> bool:
        dead = self._declared_dead.get(process.name, -1.0)
        return dead < since and not self._obstructions.cut_off_since(process, since)

    def on_event(self, process: Process, event: Event) -> None:
        if isinstance(event, MemberJoined):
            self._met.setdefault(process, self._cluster.now)
        elif isinstance(event, MemberDied):
            self._declared_dead[event.member.name] = self._cluster.now
        elif isinstance(event, BroadcastReceived):
            self._got[process, (event.origin.name, event.origin.epoch, event.number)] = None
        elif isinstance(event, BroadcastsLost) and not self._lossless:
            self._given_up[process, event.origin.name, event.origin.epoch] += event.count

    def on_stop(self, process: Process, how: Stop) -> None:
        self._ended[process] = self._cluster.now

    def on_calm(self) -> None:
        for key, sent in self._sent.items():
            if self._was_cut_short(sent):
                continue
            for process in sent.due:
                if process.running and self._stayed(process, sent.time):
                    got = (process, key) in self._got or self._gave_up(process, key)
                    require(got, f"{process.label} never got broadcast {key[2]} of {key[0]}, sent at {sent.time:.3f} s")

    def _gave_up(self, process: Process, key: Key) -> bool:
        """Whether the node said so. It says how many are lost, not which ones."""
        self._given_up[process, *key[:2]] -= 1
        return self._given_up[process, *key[:2]] >= 0

    def _was_cut_short(self, sent: _Sent) -> bool:
        ended = self._ended.get(sent.origin, INFINITY)
        return ended < sent.time + self._repair or not self._stayed(sent.origin, sent.time)


def key_of(process: Process, number: int) -> Key:
    """The broadcast of that number by the present run of a process."""
    local = process.node.local
    return (local.name, local.epoch, number)


def holds_live(process: Process, other: Process) -> bool:
    """Whether a node sees another as live, in the run that it is in now."""
    held = process.node.member(other.name)
    return held is not None and held.state.live and held.epoch == other.node.local.epoch
