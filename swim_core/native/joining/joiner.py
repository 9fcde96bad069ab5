"""Joining: a node asks its seeds for as long as it runs, in two steps, so that nobody merges a stranger's claim.

JOIN -> JOIN_ACK(cookie) -> JOIN(cookie, claim) -> JOIN_ACK -> sync. The cookie proves that the newcomer receives at the
address that it asks from, so reflection doesn't pay (docs/protocol.md, section 7).
"""

from collections.abc import Sequence
from functools import partial

import msgspec
from msgspec.structs import replace

from swim_core.address import Address, unpack
from swim_core.errors import Overloaded
from swim_core.events import JoinAttempt
from swim_core.native.claims.local_member import LocalMember
from swim_core.native.claims.merging import ClaimMerger
from swim_core.native.context import NodeContext
from swim_core.native.datagrams.sender import Sender
from swim_core.native.sealing.ring import RingKey
from swim_core.native.wire.datagram import encode_item
from swim_core.native.wire.messages import Join, JoinAck
from swim_core.shared.local_health import LocalHealth
from swim_core.shared.timers import Timer
from swim_core.statistics import DropReason

from .appearance import Appearance
from .encounters import Encounters
from .settings_check import SettingsCheck

__all__ = ["Joiner"]

FIRST_BACKOFF = 1.0  # seconds
SUPERSEDED_BACKOFF = 60.0
AT_A_TIME = 3
ANNOUNCED = 16  # announced addresses, asked once each, whose answers are awaited
VAIN = 2  # attempts after which a seed counts as unanswered: 3 s, so that members that start together don't
TRIES = 3  # per step, a probe timeout apart
AGAIN = (0.05, 0.2)  # seconds after which a goodbye is said again, as gossip does to members
LATE = 12  # probe timeouts by which an answer may be late: round trips of up to six seconds, on links that buffer much
MAX_ADDED = 64  # seeds that tools may add: each is asked for as long as the node runs
PADDED = 800  # bytes of a JOIN, so that the longest answer (a held claim with full metadata) fits
PADDING = 14  # bytes, at most, of the headers of a JOIN's array and padding
LAST_PADDED = (
    548  # bytes of the last try in each step: some paths swallow larger datagrams (`PathSizes`), and most answers fit
)


class _Seed(msgspec.Struct):
    address: Address
    backoff: float
    due: float
    seq: int | None = None
    cookie: bytes | None = None
    tries: int = 0
    waits: int = 0
    asked: int = 0
    """How often it was asked since it last answered or was a live member."""
    asked_since: float = 0.0
    led_back: bool = False
    """Whether the last question to it came back to this very node."""
    timer: Timer | None = None
    shown: int = 0
    """The epoch of the claim that it was shown last."""
    renewed: bool = False
    """Whether it was once shown a later claim than the first one."""
    known: bool = False
    """It is asked, even though it is at a live member's address, to learn what it holds of this node."""


class Joiner:
    """Asks seeds that are not addresses of live members, repeatedly and with backoff, so that islands merge.

    While this node hears nobody, it asks all seeds: members that it holds to be live may have been restarted, and no
    longer know this run.
    """

    def __init__(
        self,
        context: NodeContext,
        local: LocalMember,
        claims: ClaimMerger,
        health: LocalHealth,
        settings_check: SettingsCheck,
        encounters: Encounters,
    ) -> None:
        self._config = context.config
        self._timers = context.timers
        self._clock = context.clock
        self._hashes = context.hashes
        self._table = context.table
        self._local = local
        self._claims = claims
        self._outbox = context.outbox
        self._sealer = context.sealer
        self._random = context.random
        self._unguessable = context.unguessable
        self._settings_check = settings_check
        self._encounters = encounters
        self._health = health
        self._counters = context.counters
        self._emit = context.emit
        self._hub = context.hub
        self._seeds: dict[Address, _Seed] = {}
        self._added: dict[Address, None] = {}
        self._announced: dict[Address, _Seed] = {}
        self._appearance = Appearance(context, local)
        self._members_due = 0.0
        self._timer: Timer | None = None
        self._answering = False

    def acked_elsewhere(self, seen: Address | None, by: Address, now: float) -> None:
        """Ask a member that acked a ping but doesn't hold this node to be live at the ping's source; see
        `Appearance`."""
        if self._appearance.acked(seen, by, now) and by not in self._announced:
            self.ask_once(by, now, known=True)

    def seen_elsewhere(self, now: float) -> bool:
        """Whether others see this node at another address than it tells them."""
        return self._appearance.elsewhere(now)

    @property
    def addresses(self) -> Sequence[Address]:
        """The seeds that are not this node itself."""
        return [address for address in self._seeds if address != self._local.address]

    @property
    def unanswered(self) -> Sequence[Address]:
        """The seeds that were asked more than once, have not answered, and are no live member's address.

        A seed that leads back to this node counts only while this node is alone: usually it is an address of its own.
        """
        return [seed.address for seed in self._vain()]

    @property
    def asks(self) -> bool:
        """Whether there is a seed or an announced address that this node asks to be let in."""
        return bool(self.addresses or self._announced)

    def join(self, addresses: Sequence[Address], now: float) -> None:
        """Replace the seeds; see `ProtocolNode.join`."""
        old = self._seeds
        wanted = (*addresses, *self._added)
        self._seeds = {a: old[a] if a in old else _Seed(a, FIRST_BACKOFF, now) for a in wanted}
        for seed in old.values():
            if seed.timer is not None and seed.address not in self._seeds:
                seed.timer.cancel()
        if self._answering:
            self._answering = False
            self._ask_due(now)
            self._plan(now)
        else:
            self._attempt(now)

    def add(self, addresses: Sequence[Address], now: float) -> int:
        """Ask these seeds, too, from now on, even if `join` replaces the others; returns how many seeds there are.

        Raises:
            Overloaded: if there would be more added seeds than are allowed.
        """
        added = self._added | dict.fromkeys(a for a in addresses if a not in self._seeds)
        if len(added) > MAX_ADDED:
            raise Overloaded(f"at most {MAX_ADDED} seeds can be added to a running member")
        if len(added) > len(self._added):
            self._added = added
            self._seeds = {a: self._seeds.get(a) or _Seed(a, FIRST_BACKOFF, now) for a in (*self._seeds, *added)}
            self._attempt(now)
        return len(self.addresses)

    def leave(self, now: float) -> bool:
        """Stop asking, and say goodbye to the seeds that may have let this node in without its knowing yet.

        Such a seed was shown the claim, and its answer has not come. To this node it is no member, so no other
        goodbye reaches it. It would find the process gone, and call that a death.

        Returns:
            Whether there are any.
        """
        shown = [seed for seed in self._asked() if seed.seq is not None and seed.cookie is not None]
        self.stop()
        for seed in shown:
            seed.tries = 0
            self._tell_left(seed, now)
            for delay in AGAIN:
                self._timers.at(now + delay, partial(self._tell_left, seed))
        return bool(shown)

    def _tell_left(self, seed: _Seed, now: float) -> None:
        seed.tries += 1
        self._send(seed, now)

    def stop(self) -> None:
        """Stop asking."""
        for seed in (*self._seeds.values(), *self._announced.values()):
            if seed.timer is not None:
                seed.timer.cancel()
        self._seeds.clear()
        self._added.clear()
        self._announced.clear()
        if self._timer is not None:
            self._timer.cancel()

    # ------------------------------------------------------------------ attempts

    def _wanted(self, seed: _Seed) -> bool:
        if seed.address == self._local.address:  # probably itself; but another node may be there if this one is wrong
            return self._table.live_count == 1 and seed.asked <= 1 and not seed.led_back
        if seed.known or seed.renewed or self._local.rival is not None or self._health.deaf:
            return True
        return self._table.live_at(seed.address) is None

    def _is_own(self, seed: _Seed) -> bool:
        return seed.address == self._local.address and not self._wanted(seed)

    def superseded(self, now: float) -> None:
        """While another process owns the name, go on asking whether it is still alive."""
        for seed in self._seeds.values():
            seed.due = now + SUPERSEDED_BACKOFF
        self._members_due = now + SUPERSEDED_BACKOFF
        self._plan(now)

    def _ask_members(self, now: float) -> None:
        """While superseded, ask some members too: the seeds may be gone for good, and nobody tells this node of
        others."""
        if self._local.rival is not None and self._members_due <= now:
            self._members_due = now + SUPERSEDED_BACKOFF
            others = [entry.address for entry in self._table.topology.others()]
            for address in self._random.sample(others, min(AT_A_TIME, len(others))):
                self.ask_once(address, now)

    def _attempt(self, now: float) -> None:
        self._answering = False
        others = [seed for seed in self._seeds.values() if seed.address != self._local.address]
        if any(seed.due <= now and self._wanted(seed) for seed in others):
            vain = self._vain()
            waited = now - min((seed.asked_since for seed in vain), default=now)
            self._emit(JoinAttempt(tuple(self._seeds), tuple(seed.address for seed in vain), waited))
            self._answering = True
        self._ask_due(now)
        self._ask_members(now)
        self._plan(now)

    def _vain(self) -> Sequence[_Seed]:
        alone = self._table.live_count == 1
        vain = [seed for seed in self._seeds.values() if seed.asked >= VAIN and self._wanted(seed)]
        return [seed for seed in vain if alone or not seed.led_back]

    def _ask_due(self, now: float) -> None:
        due = [seed for seed in self._seeds.values() if seed.due <= now and not self._is_own(seed)]
        self._random.shuffle(due)
        asked = 0
        for seed in due:
            if not self._wanted(seed):
                seed.due, seed.backoff = now + self._config.join_backoff_max, FIRST_BACKOFF
                seed.asked = 0
            elif asked < AT_A_TIME:
                asked += 1
                seed.due = now + self._backoff(seed)
                seed.tries = seed.waits = 0
                seed.renewed = False
                seed.asked_since = seed.asked_since if seed.asked else now
                seed.asked += 1
                if seed.seq is None:  # otherwise a slow answer to the step under way may still come
                    seed.cookie = None
                self._ask(seed, now)
            else:
                seed.due = now + FIRST_BACKOFF * self._random.random()

    def _backoff(self, seed: _Seed) -> float:
        if self._local.rival is not None:
            return SUPERSEDED_BACKOFF
        wait = seed.backoff * self._random.uniform(0.75, 1.25)
        scale = max(1.0, self._table.live_count / 64)
        seed.backoff = min(2 * seed.backoff, self._config.join_backoff_max * scale)
        return wait

    def _plan(self, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        dues = [seed.due for seed in self._seeds.values() if not self._is_own(seed)]
        if self._local.rival is not None:
            dues.append(self._members_due)
        if dues:
            self._timer = self._timers.at(max(min(dues), now), self._attempt)

    def lost(self, address: Address, now: float) -> None:
        """If a member that died was at a seed's address, ask there again soon."""
        seed = self._seeds.get(address)
        if seed is not None:
            seed.backoff = FIRST_BACKOFF
            seed.due = min(seed.due, now + FIRST_BACKOFF * self._random.uniform(0.75, 1.25))
            self._plan(now)

    def deafened(self, now: float) -> None:
        """Ask the seeds at live members' addresses, too, since nobody is heard."""
        parked = [seed for seed in self._seeds.values() if not seed.asked and seed.due > now]
        for seed in parked:
            seed.backoff, seed.due = FIRST_BACKOFF, now + FIRST_BACKOFF * self._random.random()
        if parked:
            self._plan(now)

    def ask_once(self, address: Address, now: float, *, known: bool = False) -> None:
        """Ask the announcer at ``address`` once, and take the second step if it answers."""
        self._announced.pop(address, None)
        self._announced[address] = seed = _Seed(address, FIRST_BACKOFF, now, tries=TRIES - 1, known=known)
        if len(self._announced) > ANNOUNCED:
            del self._announced[next(iter(self._announced))]
        self._ask(seed, now)

    def _ask(self, seed: _Seed, now: float) -> None:
        if seed.tries == TRIES and seed.seq is not None and seed.waits < LATE:  # a slow answer is as good
            seed.waits += 1
            seed.timer = self._timers.at(now + self._config.max_probe_timeout, lambda at: self._ask(seed, at))
            return
        if seed.tries == TRIES or not self._wanted(seed) or not any(s is seed for s in self._asked()):
            seed.seq = None
            return
        seed.tries += 1
        if seed.seq is None:  # one for all tries of a step: a slow answer to the first is as good
            seed.seq = self._unguessable.u32()
        self._send(seed, now)
        if seed.timer is not None:
            seed.timer.cancel()
        seed.timer = self._timers.at(now + self._config.max_probe_timeout, lambda at: self._ask(seed, at))

    def _send(self, seed: _Seed, now: float) -> None:
        assert seed.seq is not None
        claim = self._local.claim if seed.cookie is not None else None
        if claim is not None:
            seed.shown = claim.epoch
        ours = self._settings_check
        limit = self._config.max_datagram
        message = Join(
            seed.seq,
            self._local.name,
            ours.interval,
            ours.rings,
            ours.stall,
            limit,
            seed.cookie,
            claim,
            time=self._clock.read(now),
            members=self._encounters.formed(now),
        )
        size = len(encode_item(message))
        last = seed.tries == TRIES and self._seeds.get(seed.address) is seed
        padded = (LAST_PADDED if last else PADDED) - self._outbox.bare - PADDING
        message = replace(message, padding=bytes(max(0, padded - size)))
        self._outbox.send(message, seed.address, now, key=self._key(seed.tries))

    def _key(self, tries: int) -> RingKey | None:
        """The key to seal a try with: each in turn, since it isn't known which ones a seed holds."""
        if self._sealer is None:
            return None
        ways = [*([None] if self._sealer.plain else []), *self._sealer.ring.ordered]
        return ways[(tries - 1) % len(ways)]

    def _asked(self) -> Sequence[_Seed]:
        return [*self._seeds.values(), *self._announced.values()]

    # ------------------------------------------------------------------ answers

    def met_itself(self, join: Join, now: float) -> None:
        """Note that a JOIN of this node came back to it, and need not be answered.

        The seed may be another address of this node, or that of a balancer which leads to others the next time. So it
        is asked again as if it had been silent.
        """
        for seed in self._asked():
            if seed.seq == join.seq:
                seed.seq, seed.led_back = None, True
                if seed.timer is not None:
                    seed.timer.cancel()

    def _come_again(self, seed: _Seed, cookie: bytes | None, now: float) -> None:
        seed.cookie, seed.tries, seed.waits = cookie, 0, 0
        self._ask(seed, now)

    def answered(self, ack: JoinAck, sender: Sender, now: float) -> bool:
        """Take a seed's answer: ask again with its cookie, or, once admitted, sync. Returns whether it had been
        asked."""
        seed = next((s for s in self._asked() if s.seq == ack.seq), None)
        if seed is None or seed.timer is None:
            self._counters.drop(DropReason.UNREQUESTED)
            return False
        seed.timer.cancel()
        seed.seq, seed.led_back = None, False
        self._local.spoken_to(sender.address)
        if self._encounters.same_time(ack, sender.address, now):
            self._taken(seed, ack, sender, now)
        return True

    def _taken(self, seed: _Seed, ack: JoinAck, sender: Sender, now: float) -> None:
        self._settings_check.check(ack, sender.address, now)
        if self._table.live_count == 1 and self._local.rival is None:
            self._local.enter(ack.time, ack.held, now)
        first = (
            ack.cookie is not None and ack.cookie != seed.cookie
        )  # the second answer says what it holds of this name
        if ack.held is not None or not first:
            self._claims.held_of_own_name(ack.held, now)
        if self._local.rival is not None:
            if first and ack.held is None:
                self._come_again(seed, ack.cookie, now)
            return
        if ack.own is not None:
            self._encounters.meet(ack.own.name, ack.members, sender.address, now)
            if self._hashes.short_id(ack.own.name, ack.own.epoch) == sender.short_id:
                self._claims.receive(ack.own, now)
        if ack.cookie is not None and ack.cookie == seed.cookie:
            if ack.seen:
                self._appearance.refused(unpack(ack.seen), sender.address, now)
        elif ack.cookie is not None:
            self._come_again(seed, ack.cookie, now)
        elif self._local.claim.epoch > seed.shown and not seed.renewed:
            seed.renewed = True  # a later run of this name is known than the one that it was shown
            self._come_again(seed, seed.cookie, now)
        else:
            seed.asked, seed.renewed = 0, False  # answered: this node was let in
            self._appearance.fine()
            self._hub.admitted(sender, now)
