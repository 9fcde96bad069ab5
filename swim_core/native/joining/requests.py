"""JOIN datagrams: what a seed is shown, how often, how large, and under which key."""

from functools import partial

from msgspec.structs import replace

from swim_core.native.claims.local_member import LocalMember
from swim_core.native.context import NodeContext
from swim_core.native.wire.datagram import encode_item
from swim_core.native.wire.messages import Join
from swim_core.shared.local_health import LocalHealth

from .encounters import Encounters
from .seed import Seed
from .settings_check import SettingsCheck

__all__ = ["PADDED", "TRIES", "Requests"]

TRIES = 3  # per step, a probe timeout apart
AGAIN = (0.05, 0.2)  # seconds after which a goodbye is said again, as gossip does to members
LATE = 12  # probe timeouts by which an answer may be late: round trips of up to six seconds, on links that buffer much
PADDED = 800  # bytes of a JOIN, so that the longest answer (a held claim with full metadata) fits
PADDING = 14  # bytes, at most, of the headers of a JOIN's array and padding
LAST_PADDED = 548  # of a step's last try: some paths swallow larger datagrams (`PathSizes`), and most answers fit


class Requests:
    """Sends a seed the JOINs of one step, until it answers or the tries are used up."""

    def __init__(
        self,
        context: NodeContext,
        local: LocalMember,
        health: LocalHealth,
        settings_check: SettingsCheck,
        encounters: Encounters,
    ) -> None:
        self._config = context.config
        self._timers = context.timers
        self._clock = context.clock
        self._table = context.table
        self._outbox = context.outbox
        self._sealer = context.sealer
        self._unguessable = context.unguessable
        self._local = local
        self._health = health
        self._settings_check = settings_check
        self._encounters = encounters

    def wanted(self, seed: Seed) -> bool:
        """Whether asking it may let this node in somewhere, or tell it something."""
        if seed.address == self._local.address:  # probably itself; but another node may be there if this one is wrong
            return self._table.live_count == 1 and seed.asked <= 1 and not seed.led_back
        if seed.known or seed.renewed or self._local.rival is not None or self._health.deaf:
            return True
        return self._table.live_at(seed.address) is None

    def is_own(self, seed: Seed) -> bool:
        """Whether it is taken for an address of this very node."""
        return seed.address == self._local.address and not self.wanted(seed)

    def step(self, seed: Seed, cookie: bytes | None, now: float) -> None:
        """Begin another step, with what the seed answered in the one before."""
        seed.cookie, seed.tries, seed.waits = cookie, 0, 0
        self.ask(seed, now)

    def ask(self, seed: Seed, now: float) -> None:
        """Send the next JOIN of a step, if tries are left; then wait for a late answer to one of them."""
        if seed.tries == TRIES and seed.seq is not None and seed.waits < LATE:  # a slow answer is as good
            seed.waits += 1
            self._repeat(seed, now)
            return
        if seed.tries == TRIES or not self.wanted(seed) or seed.dropped:
            seed.seq = None
            return
        seed.tries += 1
        if seed.seq is None:  # one for all tries of a step: a slow answer to the first is as good
            seed.seq = self._unguessable.u32()
        self._send(seed, now, size=LAST_PADDED if seed.tries == TRIES and not seed.announced else PADDED)
        seed.pause()
        self._repeat(seed, now)

    def _repeat(self, seed: Seed, now: float) -> None:
        seed.timer = self._timers.at(now + self._config.max_probe_timeout, lambda at: self.ask(seed, at))

    def tell_left(self, seed: Seed, now: float) -> None:
        """Say goodbye to a seed that was shown this node's claim: three times, as to members."""
        seed.tries = 0
        self._tell_left(seed, now)
        for delay in AGAIN:
            self._timers.at(now + delay, partial(self._tell_left, seed))

    def _tell_left(self, seed: Seed, now: float) -> None:
        seed.tries += 1
        self._send(seed, now, size=PADDED)

    def _send(self, seed: Seed, now: float, *, size: int) -> None:
        assert seed.seq is not None
        claim = self._local.claim if seed.cookie is not None else None
        if claim is not None:
            seed.shown = claim.epoch
        ours = self._settings_check
        message = Join(
            seed.seq,
            self._local.name,
            ours.interval,
            ours.rings,
            ours.stall,
            self._config.max_datagram,
            seed.cookie,
            claim,
            time=self._clock.read(now),
            members=self._encounters.formed(now),
        )
        padding = size - self._outbox.bare - PADDING - len(encode_item(message))
        message = replace(message, padding=bytes(max(0, padding)))
        key, seed.key = seed.key, None
        if key is None and self._sealer is not None:
            key = self._sealer.in_turn(seed.tries)
        self._outbox.send(message, seed.address, now, key=key)
