"""A node that accuses, and helpers that vote as the test wants them to."""

from collections.abc import Iterable
from functools import partial

from support.hand import HASHES, RTT, Hand, Peer, Sent, peers
from swim_core import Config, State
from swim_core.native.wire.messages import KernelVerdict, Ping, PingReq, Poll, Vote, VoteKind

S = 5.0
MARGIN = 0.25
SILENT = VoteKind.SILENT


def ranked(subject: Peer, members: Iterable[Peer]) -> list[Peer]:
    """The members in the order of their rank as helpers for a subject."""
    others = [member for member in members if member is not subject]
    place = HASHES.places(subject.name, subject.epoch)
    walks = [
        sorted(others, key=lambda member: (place[ring] - rings_of(member)[ring]) % 2**64) for ring in range(len(place))
    ]
    return list({member.name: member for step in zip(*walks, strict=True) for member in step}.values())


def rings_of(member: Peer) -> tuple[int, ...]:
    """Its place on each ring."""
    return HASHES.places(member.name, member.epoch)


class Accuser(Hand):
    """A node with ``others`` live members, of which one, `subject`, has fallen silent.

    The rest answer pings. Those in `voting` vote as watchers do: when asked, when polled, and every 0.5 s. Each states
    the time since it was asked as its silence; those in `stated` state that many seconds instead. Their kernels say
    `kernel`, and silent kernels have been silent for as long, or for `kernel_age`.
    """

    def __init__(self, others: int = 6, *, config: Config | None = None, votes: bool = True) -> None:
        self.members = peers(others)
        super().__init__(knows=self.members, config=config)
        self.watch(self.members[-1])
        self.voting = list(self.helpers) if votes else []
        self.stated: dict[str, float] = {}
        self.kernel = KernelVerdict.NONE
        self.kernel_age: float | None = None
        self.kind = SILENT
        self.asked: dict[str, float] = {}
        self.reaction = self._react

    def watch(self, subject: Peer) -> None:
        """Let that member be the one that falls silent."""
        self.subject = subject
        self.answering = [member for member in self.members if member is not subject]
        self.helpers = ranked(subject, self.members)

    @property
    def witnesses(self) -> list[str]:
        """The names of the members right before the subject on the rings, each once, in the order of the rings."""
        place = rings_of(self.subject)
        others = [self.as_peer, *(member for member in self.members if member is not self.subject)]
        before = (
            min(others, key=lambda member: (place[ring] - rings_of(member)[ring]) % 2**64) for ring in range(len(place))
        )
        return list(dict.fromkeys(member.name for member in before))

    def take_turn(self, rank: int) -> None:
        """Watch a member of whose witnesses this node is the one at that rank, from 0, and that has three or more."""
        for member in self.members:
            self.watch(member)
            names = self.witnesses
            if len(names) > max(rank, 2) and names[rank] == self.me.name:
                return
        raise AssertionError(f"none of {len(self.members)} members has this node as its witness number {rank}")

    def accuse(self) -> float:
        """Let time pass until the subject is under watch; returns when the probe that failed was sent."""
        self.until(lambda: bool(self.node.statistics().watches and self._probes()), 200.0)
        return self._probes()[0].at

    def _probes(self) -> list[Sent]:
        pings = [sent for sent in self.to(self.subject) if isinstance(sent.message, Ping)]
        return [sent for sent in pings if sent.message.accused is None]  # type: ignore[union-attr]

    def vote(self, helper: Peer, *, nonce: int = 0, silence: float | None = None, kind: VoteKind | None = None) -> None:
        """A helper's vote arrives."""
        own = self.now - self.asked.get(helper.name, self.now)
        seconds = self.stated.get(helper.name, own) if silence is None else silence
        chosen = self.kind if kind is None else kind
        subject = self.subject
        age = seconds if self.kernel_age is None else self.kernel_age
        age_ms = round(age * 1000) if self.kernel is KernelVerdict.SILENT else 0
        vote = Vote(subject.short_id, subject.incarnation, nonce, chosen, round(seconds * 1000), self.kernel, age_ms)
        self.feed(helper, vote)

    def _react(self, sent: Sent) -> None:
        for helper in self.voting:
            if helper.address != sent.to:
                continue
            if isinstance(sent.message, PingReq) and helper.name not in self.asked:
                self.asked[helper.name] = self.now
                self.after(RTT, partial(self._vote_on, helper))
            elif isinstance(sent.message, Poll):
                self.after(RTT, partial(self.vote, helper, nonce=sent.message.nonce))

    def _vote_on(self, helper: Peer) -> None:
        if helper in self.voting and self.state(self.subject) in (State.ALIVE, State.SUSPECT):
            self.vote(helper)
            self.after(0.5, partial(self._vote_on, helper))

    def verdict(self) -> State | None:
        """The state in which the node sees the subject."""
        return self.state(self.subject)
