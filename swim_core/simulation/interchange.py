"""Datagrams to members that are not simulated reach the twin that is, as if from the corresponding twin of the sender.

If a member sends something to the tenth twin of another, then the sender's own twins do likewise, and one of them sends
it to the one that is simulated. That is the datagram which this makes: all members that it mentions are replaced by
twins of theirs. The others are counted from the receiver: of each member the twin whose number is lower by ten is
meant.

The pages of a sync remain as they are: they give what the simulated twin knows, whose knowledge is like that of the
others.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from msgspec.structs import replace

from swim_core.address import Address, pack, unpack
from swim_core.native.wire import messages
from swim_core.native.wire.claim import Claim
from swim_core.native.wire.datagram import Codec, Envelope, encode_item
from swim_core.native.wire.hashing import Hashes

from .twins import Twins

__all__ = ["Interchange"]

Move = Callable[[int], int]
"""From the number of a twin to that of the one that is meant."""


class Interchange:
    """Rewrites datagrams.

    Args:
        twins: all members.
        hashes: of the cluster.
        epoch_of: the epoch of the simulated twin of a kind.
    """

    def __init__(self, twins: Twins, hashes: Hashes, epoch_of: Callable[[int], int]) -> None:
        self._twins = twins
        self._hashes = hashes
        self._epoch_of = epoch_of
        self._packed = [[pack(address) for address in addresses] for addresses in twins.addresses]
        self._codec = Codec(hashes.label)
        self._open = lru_cache(maxsize=64)(self._codec.open)  # what is pushed goes to several
        self._runs: dict[int, tuple[int, int, int]] = {}  # kind, epoch and number, by short id
        self._ids: dict[tuple[int, int], list[int]] = {}  # of all twins, by kind and epoch

    def rewrite(self, source: Address, destination: Address, payload: bytes) -> tuple[Address, Address, bytes]:
        """The same datagram as the simulated twin of the receiver gets it: from where, where to, and what."""
        to = self._twins.at.get(destination)
        if to is None or to.number == 0:
            return source, destination, payload
        opened = self._open(payload)
        assert isinstance(opened, tuple)
        flags, envelope, _ = opened
        kind, count, number = self._twins.at[source].kind, self._twins.count, to.number

        def move(twin: int) -> int:
            return (twin - number) % count

        if envelope.sender not in self._runs:
            self._register(kind, self._epoch_of(kind))
        sent = self._pack(flags, envelope, move)
        return self._twins.addresses[kind][move(0)], self._twins.addresses[to.kind][0], sent

    def _pack(self, flags: int, envelope: Envelope, move: Move) -> bytes:
        return self._codec.pack(
            flags,
            self._run(envelope.sender, move),
            self._message(envelope.message, move),
            [encode_item(self._claim(claim, move)) for claim in envelope.claims],
            [encode_item(replace(number, origin=self._run(number.origin, move))) for number in envelope.numbers],
            [encode_item(broadcast) for broadcast in envelope.broadcasts],
            [encode_item(self._message(further, move)) for further in envelope.further],
        )

    def _register(self, kind: int, epoch: int) -> list[int]:
        names = self._twins.names[kind]
        ids = self._ids[kind, epoch] = [self._hashes.short_id(name, epoch) for name in names]
        self._runs.update((short_id, (kind, epoch, number)) for number, short_id in enumerate(ids))
        return ids

    def _run(self, short_id: int, move: Move) -> int:
        run = self._runs.get(short_id)
        if run is None:
            return short_id
        kind, epoch, number = run
        return self._ids[kind, epoch][move(number)]

    def _claim(self, claim: Claim, move: Move) -> Claim:
        kind, number = self._twins.named[claim.name]
        if (kind, claim.epoch) not in self._ids:
            self._register(kind, claim.epoch)
        number, verdict = move(number), claim.verdict
        if verdict is not None:
            verdict = replace(verdict, accuser=self._run(verdict.accuser, move))
        name, address = self._twins.names[kind][number], self._packed[kind][number]
        return Claim(name, claim.epoch, address, claim.incarnation, claim.state, claim.metadata, verdict)

    def _maybe(self, claim: Claim | None, move: Move) -> Claim | None:
        return None if claim is None else self._claim(claim, move)

    def _seen(self, packed: bytes, move: Move) -> bytes:
        if not packed:
            return packed
        kind, number = self._twins.at[unpack(packed)]
        return self._packed[kind][move(number)]

    def _message(self, message: Any, move: Move) -> Any:
        match message:
            case messages.Ping():
                return replace(message, target=self._run(message.target, move))
            case messages.AckElsewhere():
                return replace(message, seen=self._seen(message.seen, move))
            case messages.PingReq() | messages.ClaimOf():
                return replace(message, claim=self._claim(message.claim, move))
            case messages.Vote() | messages.Poll():
                return replace(message, subject=self._run(message.subject, move))
            case messages.NotMe():
                return replace(message, claim=self._maybe(message.claim, move))
            case messages.WantClaim():
                return replace(message, short_id=self._run(message.short_id, move))
            case messages.Join():
                name = self._twins.names[self._twins.named[message.name].kind][
                    move(self._twins.named[message.name].number)
                ]
                return replace(message, name=name, claim=self._maybe(message.claim, move))
            case messages.JoinAck():
                held, own = self._maybe(message.held, move), self._maybe(message.own, move)
                return replace(message, held=held, own=own, seen=self._seen(message.seen, move))
        return message
