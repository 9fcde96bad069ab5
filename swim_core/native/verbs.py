"""What a node does about one other member, for its application and for tools."""

from msgspec.structs import replace

from swim_core.errors import PayloadTooLarge, UnknownMember
from swim_core.events import MessageReceived
from swim_core.member import Member, Rule, State
from swim_core.plain_data import octets
from swim_core.shared.local_health import LocalHealth

from .claims.local_member import LocalMember
from .context import NodeContext
from .detection.pings import Pings
from .detection.prober import Prober
from .table.entry import Entry
from .wire.claim import Verdict
from .wire.messages import UserMessage

__all__ = ["Verbs"]


class Verbs:
    """Each verb checks first, so that nothing has changed if it raises an error."""

    def __init__(
        self, context: NodeContext, local: LocalMember, health: LocalHealth, pings: Pings, prober: Prober
    ) -> None:
        self._largest = context.config.max_broadcast
        self._table = context.table
        self._clock = context.clock
        self._outbox = context.outbox
        self._emit = context.emit
        self._hub = context.hub
        self._local = local
        self._health = health
        self._pings = pings
        self._prober = prober

    def send(self, to: str | Member, payload: bytes, now: float) -> None:
        """See `ProtocolNode.send`."""
        self._local.check_running()
        payload = octets(payload)
        if len(payload) > self._largest:
            raise PayloadTooLarge(f"a message of {len(payload)} bytes: at most {self._largest} (max_broadcast)")
        if not isinstance(to, str | Member):
            raise UnknownMember(f"no live member {to!r}: give a name or a Member")
        entry = self._table.get(to if isinstance(to, str) else to.name)
        if entry is None or not entry.live or (isinstance(to, Member) and to.epoch != entry.claim.epoch):
            raise UnknownMember(f"no live member {to!r}")
        now = self._health.advance(now)
        if entry.name == self._local.name:
            self._emit(MessageReceived(entry.origin, payload))
        else:
            self._outbox.send(UserMessage(payload), entry, now)

    def ping(self, name: str, now: float) -> None:
        """See `ProtocolNode.ping`."""
        entry = self._other(name)
        now = self._health.advance(now)
        self._pings.ask(entry, now)
        if entry.live:
            self._prober.expect(entry, now)

    def remove(self, name: str, now: float) -> None:
        """See `ProtocolNode.remove`."""
        entry = self._other(name)
        if entry.live:
            raise UnknownMember(
                f"{name!r} is live, so the next news of it would bring it back: only members that are gone are removed"
            )
        now = self._health.advance(now)
        self._table.forget(entry)
        self._hub.forgotten(entry, now)

    def force_leave(self, name: str, now: float) -> None:
        """See `ProtocolNode.force_leave`."""
        entry = self._other(name)
        claim = entry.claim
        if entry.live:
            raise UnknownMember(f"{name!r} is live: only members that are dead are removed")
        now = self._health.advance(now)
        if claim.state is State.DEAD:
            verdict = Verdict(self._local.short_id, Rule.REMOVED, self._clock.read(now))
            self._hub.verdict_given(replace(claim, state=State.LEFT, verdict=verdict), now)

    def _other(self, name: str) -> Entry:
        self._local.check_running()
        if name == self._local.name:
            raise UnknownMember(f"{name!r} is this node itself: give the name of another member")
        entry = self._table.get(name)
        if entry is None:
            raise UnknownMember(f"no other member {name!r}, live or gone")
        return entry
