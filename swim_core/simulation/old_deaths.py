"""Checks that no node believes in a death that is old news, or contradicts what it heard, before asking the member."""

from math import inf

from swim_core.address import Address
from swim_core.events import Event, MemberDied
from swim_core.member import Rule, State
from swim_core.native.wire.claim import Claim
from swim_core.native.wire.datagram import Envelope
from swim_core.native.wire.messages import SyncPage, SyncPush

from .cluster import Cluster
from .judgement import BY_OTHERS
from .process import Process
from .violation import require
from .wiretap import Wiretap

__all__ = ["OldDeathsHeldBack"]


class OldDeathsHeldBack(Wiretap):
    """A death that is old news, or contradicts what the node itself heard, is not believed before the member has been
    asked."""

    HELD = 0.9  # seconds, at least, that it is held back: a tenth less than it is
    OLD = 2_300  # ms; a verdict older than 2 s is old, and clocks are a little off
    RECENTLY = 2.3  # seconds; one heard within 2.5 s is not silent

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._heard: dict[tuple[Process, int], tuple[float, float]] = {}  # when, and how its clock stood
        self._doubted: dict[
            tuple[Process, int, int, int], tuple[float, float] | None
        ] = {}  # the same; None if it was fresh
        self._recently = min(self.RECENTLY, self.config.stall_tolerance / 2 - 0.2, self.config.host_tolerance or inf)

    def on_heard(self, process: Process, source: Address, said: Envelope, *, deaf: bool) -> None:
        for claim in said.claims:
            if claim.state is State.DEAD:
                self._note(process, claim, paged=False)
        if isinstance(said.message, SyncPage | SyncPush):
            for entry in said.message.entries:
                if entry.claim.state is State.DEAD:
                    self._note(process, entry.claim, paged=True)
        if not deaf:
            self._heard[process, said.sender] = self.cluster.now, process.clock - self.cluster.now

    def _note(self, process: Process, claim: Claim, *, paged: bool) -> None:
        subject = self.id_of(claim.name, claim.epoch)
        if claim.verdict is None:
            return
        key = (process, subject, claim.incarnation, claim.verdict.time)
        age = process.node.statistics().cluster_time - claim.verdict.time
        if not (paged or age > self.OLD or self._contradicts(process, subject, claim)):
            self._doubted[key] = None
        elif key not in self._doubted:
            self._doubted[key] = self.cluster.now, process.clock - self.cluster.now

    def _contradicts(self, process: Process, subject: int, claim: Claim) -> bool:
        when, offset = self._heard.get((process, subject), (-inf, 0.0))
        silent = claim.verdict is not None and claim.verdict.rule in (Rule.SILENT, Rule.HOST_GONE)
        steady = offset == process.clock - self.cluster.now
        return silent and steady and self.cluster.now - when < self._recently

    def on_event(self, process: Process, event: Event) -> None:
        if not isinstance(event, MemberDied) or event.evidence is None or event.evidence.rule not in BY_OTHERS:
            return
        member, accuser = event.member, event.evidence.accuser
        subject = self.id_of(member.name, member.epoch)
        doubted = self._doubted.get((process, subject, member.incarnation, event.evidence.cluster_time))
        if doubted is None or accuser == process.node.local.name:
            return
        since, offset = doubted
        if offset != process.clock - self.cluster.now:
            self.cluster.excused["old deaths"] += 1
            return
        self.cluster.judged["old deaths"] += 1
        held = self.cluster.now - since
        require(
            held >= self.HELD,
            f"{process.label} believed within {held:.2f} s what {accuser} said: {member.name} died, though that was"
            " old news, or it had just heard that one",
        )
