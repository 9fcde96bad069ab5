"""Joining: a node asks its seeds for as long as it runs, in two steps, so that nobody merges a stranger's claim.

JOIN -> JOIN_ACK(cookie) -> JOIN(cookie, claim) -> JOIN_ACK -> sync. The cookie proves that the newcomer receives at the
address that it asks from, so reflection doesn't pay (docs/protocol.md, section 7).
"""

from collections.abc import Sequence

from swim_core.address import Address, unpack
from swim_core.counters import DropReason
from swim_core.events import JoinAttempt
from swim_core.native.claims.local_member import LocalMember
from swim_core.native.claims.merging import ClaimMerger
from swim_core.native.context import NodeContext
from swim_core.native.datagrams.sender import Sender
from swim_core.native.wire.messages import Join, JoinAck
from swim_core.shared.local_health import LocalHealth
from swim_core.shared.timers import Timer

from .appearance import Appearance
from .encounters import Encounters
from .requests import TRIES, Requests
from .seed import FIRST_BACKOFF, Seed, SeedList
from .settings_check import SettingsCheck

__all__ = ["Joiner"]

SUPERSEDED_BACKOFF = 60.0
AT_A_TIME = 3
VAIN = 2  # attempts after which a seed counts as unanswered: 3 s, so that members that start together don't


class Joiner:
    """Asks seeds that are not addresses of live members, repeatedly and with backoff, so that islands merge.

    While this node hears nobody, it asks all seeds: members that it considers live may have been restarted, and no
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
        self._hashes = context.hashes
        self._table = context.table
        self._local = local
        self._claims = claims
        self._random = context.random
        self._settings_check = settings_check
        self._encounters = encounters
        self._counters = context.counters
        self._emit = context.emit
        self._hub = context.hub
        self._seeds = SeedList()
        self._requests = Requests(context, local, health, settings_check, encounters)
        self._appearance = Appearance(context, local)
        self._members_due = 0.0
        self._timer: Timer | None = None
        self._answering = False

    def acked_elsewhere(self, seen: Address | None, by: Address, now: float) -> None:
        """Ask a member that acked a ping but doesn't consider this node live at the ping's source; see
        `Appearance`."""
        if self._appearance.acked(seen, by, now) and not self._seeds.is_announced(by):
            self.ask_once(by, now, known=True)

    def seen_elsewhere(self, now: float) -> bool:
        """Whether others see this node at another address than it tells them."""
        return self._appearance.elsewhere(now)

    @property
    def addresses(self) -> Sequence[Address]:
        """The seeds that are not this node itself."""
        return [address for address in self._seeds.addresses if address != self._local.address]

    @property
    def unanswered(self) -> Sequence[Address]:
        """The seeds that were asked more than once, have not answered, and are no live member's address.

        A seed that leads back to this node counts only while this node is alone: usually it is an address of its own.
        """
        return [seed.address for seed in self._vain()]

    @property
    def asks(self) -> bool:
        """Whether there is a seed or an announced address that this node asks to be let in."""
        return bool(self.addresses) or self._seeds.announced

    def join(self, addresses: Sequence[Address], now: float) -> None:
        """Replace the seeds; see `ProtocolNode.join`."""
        self._seeds.replace(addresses, now)
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
        if self._seeds.add(addresses, now):
            self._attempt(now)
        return len(self.addresses)

    def leave(self, now: float) -> bool:
        """Stop asking, and say goodbye to the seeds that may have let this node in without its knowing yet.

        Such a seed was shown the claim, and its answer has not come. To this node it isn't a member, so no other
        goodbye reaches it. It would find the process gone, and call that a death.

        Returns:
            Whether there are any.
        """
        shown = [seed for seed in self._seeds.all() if seed.seq is not None and seed.cookie is not None]
        self.stop()
        for seed in shown:
            self._requests.tell_left(seed, now)
        return bool(shown)

    def stop(self) -> None:
        """Stop asking."""
        self._seeds.clear()
        if self._timer is not None:
            self._timer.cancel()

    # ------------------------------------------------------------------ attempts

    def superseded(self, now: float) -> None:
        """While another process owns the name, go on asking whether it is still alive."""
        for seed in self._seeds:
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
        others = [seed for seed in self._seeds if seed.address != self._local.address]
        if any(seed.due <= now and self._requests.wanted(seed) for seed in others):
            vain = self._vain()
            waited = now - min((seed.asked_since for seed in vain), default=now)
            self._emit(JoinAttempt(self._seeds.addresses, tuple(seed.address for seed in vain), waited))
            self._answering = True
        self._ask_due(now)
        self._ask_members(now)
        self._plan(now)

    def _vain(self) -> Sequence[Seed]:
        alone = self._table.live_count == 1
        vain = [seed for seed in self._seeds if seed.asked >= VAIN and self._requests.wanted(seed)]
        return [seed for seed in vain if alone or not seed.led_back]

    def _ask_due(self, now: float) -> None:
        due = [seed for seed in self._seeds if seed.due <= now and not self._requests.is_own(seed)]
        self._random.shuffle(due)
        asked = 0
        for seed in due:
            if not self._requests.wanted(seed):
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
                self._requests.ask(seed, now)
            else:
                seed.due = now + FIRST_BACKOFF * self._random.random()

    def _backoff(self, seed: Seed) -> float:
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
        dues = [seed.due for seed in self._seeds if not self._requests.is_own(seed)]
        if self._local.rival is not None:
            dues.append(self._members_due)
        if dues:
            self._timer = self._timers.at(max(min(dues), now), self._attempt)

    def lost(self, address: Address, now: float) -> None:
        """If a member that died was at a seed's address, ask there again soon."""
        seed = self._seeds.at(address)
        if seed is not None:
            seed.backoff = FIRST_BACKOFF
            seed.due = min(seed.due, now + FIRST_BACKOFF * self._random.uniform(0.75, 1.25))
            self._plan(now)

    def deafened(self, now: float) -> None:
        """Ask the seeds at live members' addresses, too, since nobody is heard."""
        parked = [seed for seed in self._seeds if not seed.asked and seed.due > now]
        for seed in parked:
            seed.backoff, seed.due = FIRST_BACKOFF, now + FIRST_BACKOFF * self._random.random()
        if parked:
            self._plan(now)

    def ask_once(self, address: Address, now: float, *, known: bool = False) -> None:
        """Ask the announcer at ``address`` once, and take the second step if it answers."""
        seed = Seed(address, FIRST_BACKOFF, now, tries=TRIES - 1, announced=True, known=known)
        self._seeds.announce(seed)
        self._requests.ask(seed, now)

    # ------------------------------------------------------------------ answers

    def met_itself(self, join: Join, now: float) -> None:
        """Note that a JOIN of this node came back to it, and need not be answered.

        The seed may be another address of this node, or that of a balancer which leads to others the next time. So it
        is asked again as if it had been silent.
        """
        for seed in self._seeds.all():
            if seed.seq == join.seq:
                seed.seq, seed.led_back = None, True
                seed.pause()

    def answered(self, ack: JoinAck, sender: Sender, now: float) -> bool:
        """Take a seed's answer: ask again with its cookie, or, once admitted, sync. Returns whether it had been
        asked."""
        seed = next((s for s in self._seeds.all() if s.seq == ack.seq), None)
        if seed is None or seed.timer is None:
            self._counters.drop(DropReason.UNREQUESTED)
            return False
        seed.pause()
        seed.seq, seed.led_back = None, False
        seed.key = None if sender.seal is None else sender.seal.key
        self._local.spoken_to(sender.address)
        if self._encounters.same_time(ack, sender.address, now):
            self._taken(seed, ack, sender, now)
        return True

    def _taken(self, seed: Seed, ack: JoinAck, sender: Sender, now: float) -> None:
        self._settings_check.check(ack, sender.address, now)
        if ack.members > self._encounters.formed(now) == 1:
            self._hub.found(now)  # already now, since the answer that says that it was let in may get lost
        if self._table.live_count == 1 and self._local.rival is None:
            self._local.enter(ack.time, ack.held, now)
        first = (
            ack.cookie is not None and ack.cookie != seed.cookie
        )  # the second answer says what it holds of this name
        if ack.held is not None or not first:
            self._claims.held_of_own_name(ack.held, now)
        if self._local.rival is not None:
            if first and ack.held is None:
                self._requests.step(seed, ack.cookie, now)
            return
        if ack.own is not None:
            self._encounters.meet(ack.own.name, ack.members, sender.address, now)
            if self._hashes.short_id(ack.own.name, ack.own.epoch) == sender.short_id:
                self._claims.receive(ack.own, now)
        if ack.cookie is not None and ack.cookie == seed.cookie:
            if ack.seen:
                self._appearance.refused(unpack(ack.seen), sender.address, now)
        elif ack.cookie is not None:
            self._requests.step(seed, ack.cookie, now)
        elif self._local.claim.epoch > seed.shown and not seed.renewed:
            seed.renewed = True  # a later run of this name is known than the one that it was shown
            self._requests.step(seed, seed.cookie, now)
        else:
            seed.asked, seed.renewed = 0, False  # answered: this node was let in
            self._appearance.fine()
            self._hub.admitted(sender, now)
