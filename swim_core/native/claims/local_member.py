"""This node's own claim: who it is, how it answers claims about itself, and who owns its name."""

from collections.abc import Mapping

from swim_core.address import Address, is_loopback, pack, reachable
from swim_core.errors import ConfigError, NameTaken, NotRunning
from swim_core.member import Member, Rule, State, check_name
from swim_core.native.context import NodeContext
from swim_core.native.hub import Refutation
from swim_core.native.table.entry import Change
from swim_core.native.wire.claim import (
    EPOCH_BITS,
    MAX_INCARNATION,
    Claim,
    Verdict,
    pack_metadata,
    precedence,
)

__all__ = ["LocalMember"]

MAX_EPOCH = 2**64 - 1
DAY = 86_400_000  # ms; claims further in the future are dropped


class LocalMember:
    """Owns the claim about this node. Its incarnation is raised only here."""

    def __init__(
        self,
        context: NodeContext,
        name: str,
        address: Address | tuple[str, int],
        *,
        unix_ms: int,
        metadata: Mapping[str, str],
        now: float,
    ) -> None:
        try:
            check_name(name)
        except ValueError as error:
            raise ConfigError(str(error)) from None
        where = reachable(address)
        if not 0 <= unix_ms < MAX_EPOCH >> EPOCH_BITS:
            raise ConfigError(f"unix_ms must be ms since 1970, not {unix_ms!r}")
        self._config = context.config
        self._table = context.table
        self._outbox = context.outbox
        self._clock = context.clock
        self._sealer = context.sealer
        self._salt = context.unguessable.u32() >> 32 - EPOCH_BITS
        self._metadata = pack_metadata(metadata, context.config.max_metadata)
        self.left = False
        """Whether `leave` was called; the goodbye is final."""
        self.has_neighbours = is_loopback(where)
        """Whether there may be members at loopback addresses of this host."""
        self.rival: Claim | None = None
        """The claim of the live process that owns this node's name, while this node is superseded."""
        context.table.local_name = name
        self.name = name
        self.address = where
        self._address = pack(where)
        self._put(unix_ms << EPOCH_BITS | self._salt, 0, now)

    @property
    def claim(self) -> Claim:
        """The claim about this node."""
        entry = self._table.get(self.name)
        assert entry is not None
        return entry.claim

    @property
    def member(self) -> Member:
        """The claim as applications see it; made once per claim."""
        entry = self._table.get(self.name)
        assert entry is not None
        return entry.member

    @property
    def silent(self) -> bool:
        """Whether this node has left or is superseded: it probes, accuses and helps nobody."""
        return self.left or self.rival is not None

    @property
    def short_id(self) -> int:
        """The id of this run in datagrams."""
        return self._outbox.sender

    def check_running(self) -> None:
        """Check that the application may have this node say something.

        Raises:
            NotRunning: after `leave`.
            NameTaken: while it is superseded.
        """
        if self.left:
            raise NotRunning("this node has left; make a new one to come back")
        if self.rival is not None:
            raise NameTaken(f"another live process owns the name {self.name!r}: choose another name")

    def _put(self, epoch: int, incarnation: int, now: float) -> Change:
        if self.left:
            verdict = Verdict(self.short_id, Rule.LEFT, self._clock.read(now))
            claim = Claim(self.name, epoch, self._address, incarnation, State.LEFT, None, verdict)
        else:
            claim = Claim(self.name, epoch, self._address, incarnation, State.ALIVE, self._metadata)
        change = self._table.put(claim, now)
        self._outbox.sender = change.entry.short_id
        if self._sealer is not None:
            self._sealer.be(change.entry.short_id, now)
        return change

    def raise_above(self, incarnation: int, now: float) -> Change:
        """Claim the next incarnation, or after the highest one the next epoch (others see `MemberUpdated`)."""
        epoch = self.claim.epoch
        if incarnation < MAX_INCARNATION:
            return self._put(epoch, incarnation + 1, now)
        if self._after(epoch) > MAX_EPOCH:  # nothing higher can be claimed: this one was reached by forgery
            return self._put(epoch, MAX_INCARNATION, now)
        return self._put(self._after(epoch), 0, now)

    def _after(self, epoch: int) -> int:
        """This process's own epoch of the next millisecond.

        With the random bits of ``epoch`` it could be one that an earlier run of this name has used, if only to ask to
        be let in: to whoever opened that run's sealed datagrams, those of this one would be copies.
        """
        return ((epoch >> EPOCH_BITS) + 1) << EPOCH_BITS | self._salt

    def begin_anew(self, now: float) -> bool:
        """Go to the next epoch, in two steps: first the highest incarnation, so that members that heard of it see
        `MemberUpdated` and no death. Returns whether this was the second step.
        """
        claim = self.claim
        if claim.incarnation < MAX_INCARNATION:
            self._put(claim.epoch, MAX_INCARNATION, now)
            return False
        self.raise_above(MAX_INCARNATION, now)
        return True

    def set_metadata(self, metadata: Mapping[str, str], now: float) -> Change | None:
        """Replace the metadata; None if it is the same. Raises like `pack_metadata`."""
        packed = pack_metadata(metadata, self._config.max_metadata)
        if packed == self._metadata:
            return None
        self._metadata = packed
        return self.raise_above(self.claim.incarnation, now)

    def move(self, address: Address, now: float) -> Change | None:
        """Claim another address in the same run; None if it is the same."""
        if address == self.address:
            return None
        self.address = address
        self._address = pack(address)
        return self.raise_above(self.claim.incarnation, now)

    def spoken_to(self, source: Address) -> None:
        """Note that a node that joins, or that lets this one join, spoke from there."""
        self.has_neighbours = self.has_neighbours or is_loopback(source)

    def leave(self, now: float) -> Change:
        """Claim LEFT, for good."""
        self.left = True
        return self._put(self.claim.epoch, self.claim.incarnation, now)

    def enter(self, cluster_ms: int, held: Claim | None, now: float) -> None:
        """Take the cluster's time, and an epoch above the one held of this name; for a node that knows no live member.

        So a clock that ran ahead can't produce an epoch that locks out a later run. Once anybody there may have seen
        the claim, the epoch is only ever raised: two runs at once would look like a death to everybody. Nobody there
        has believed a claim from more than a day ahead.
        """
        self._clock.adopt(cluster_ms, now)
        if held is not None and held.epoch >> EPOCH_BITS > self._clock.latest(now) + DAY:
            held = None  # it can't be genuine: no epoch would be above it
        mine = self.claim
        if held is not None and held.epoch == mine.epoch:
            return
        epoch = mine.epoch
        if not self._outbox.spoken or epoch >> EPOCH_BITS > cluster_ms + DAY:
            epoch = min(epoch, cluster_ms << EPOCH_BITS | self._salt)
        if held is not None:
            epoch = max(self._after(held.epoch), epoch)
        if epoch != mine.epoch and epoch <= MAX_EPOCH:
            self._put(epoch, 0, now)

    def outlive_rival(self, held: Claim | None, now: float) -> Claim | None:
        """If a seed holds less of the name than the rival's run, only this node has heard of the rival: take an epoch
        above it. Returns the rival that is outlived."""
        rival = self.rival
        if rival is None or self._after(rival.epoch) > MAX_EPOCH:
            return None
        if held is not None and _order(held) >= _order(rival):
            return None
        self.rival = None
        self._put(self._after(rival.epoch), 0, now)
        return rival

    def refute(self, claim: Claim, now: float) -> Refutation:
        """Judge a claim about this node's own name, and answer it if necessary."""
        mine = self.claim
        if self.rival is not None and _order(claim) <= _order(mine):
            return Refutation.NOTHING  # superseded: this run no longer answers
        if claim.epoch < mine.epoch:
            return Refutation.STALE
        if claim.epoch == mine.epoch and self._is_mine(claim, mine):
            return self._refute_this_run(claim, mine, now)
        if self.left:
            return Refutation.NOTHING  # this node has left, so another run may have the name
        if claim.address != mine.address and claim.state.live:
            self.rival = claim
            return Refutation.CONFLICT
        if self._after(claim.epoch) > MAX_EPOCH:
            return Refutation.NOTHING
        self.rival = None  # an old run of this process, or a rival that is gone
        self._put(self._after(claim.epoch), 0, now)
        return Refutation.WAS_DEAD

    def _is_mine(self, claim: Claim, mine: Claim) -> bool:
        """Whether a claim of this epoch is about this process, and not about another one with the same epoch.

        That includes old addresses of this node: such a claim is lower in the order, or an accusation, or comes from a
        process at the lower address, which gives way as soon as it hears the answer.
        """
        return claim.address <= mine.address or claim.incarnation < mine.incarnation or not claim.state.live

    def _refute_this_run(self, claim: Claim, mine: Claim, now: float) -> Refutation:
        if precedence(claim) == precedence(mine):
            return Refutation.NOTHING
        if _order(claim) < _order(mine):
            return Refutation.STALE
        if self.left:
            if claim.state is State.LEFT or claim.incarnation == MAX_INCARNATION:
                return Refutation.NOTHING
            if claim.state is State.ALIVE and claim.incarnation == mine.incarnation:
                return Refutation.STALE
            self._put(mine.epoch, claim.incarnation + 1, now)
            return Refutation.ANSWERED
        self.raise_above(claim.incarnation, now)
        return Refutation.ANSWERED if claim.state.live else Refutation.WAS_DEAD


def _order(claim: Claim) -> tuple[int, int, bytes]:
    """The order among claims, the state left out."""
    return precedence(claim)[:3]
