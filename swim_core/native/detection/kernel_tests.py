"""What asks the kernel of a member under watch: connections, and repeated tests once its process seems gone."""

from swim_core.native.context import NodeContext
from swim_core.shared.local_health import LocalHealth

from .subject_pings import SubjectPings
from .tripwires import Tripwires
from .watch import Watch

__all__ = ["KernelTests"]

# How long a kernel has to answer before it is asked again on another's word: a short round trip, or as many seconds.
QUICK, MOMENT = 0.1, 0.0005


class KernelTests:
    """Has connections tried, and soon repeats what a lost packet would delay."""

    def __init__(
        self, context: NodeContext, health: LocalHealth, tripwires: Tripwires, subject_pings: SubjectPings
    ) -> None:
        self._rtt = context.rtt
        self._health = health
        self._tripwires = tripwires
        self._subject_pings = subject_pings

    def connect(self, watch: Watch, now: float) -> None:
        """Try a connection, if it may tell something."""
        awake = self._health.awake(now)
        if self._tripwires.enabled and watch.findings.wants_test(now, awake):
            watch.findings.tested = awake
            self._tripwires.connect(watch.entry)

    def hurry(self, watch: Watch, now: float) -> None:
        """The subject seems to have ended: soon repeat what a lost packet would delay, a few times in each watch.

        There is no hurry if only a second refusal by UDP, which must come later, could settle it.
        """
        if watch.repeats is None and watch.findings.contact:
            watch.repeats, watch.hurried = self._tripwires.retests(now), now
            self._tripwires.hand_over(watch.short_id)

    def repeat(self, watch: Watch, now: float) -> bool:
        """Repeat the tests that were not refused, if that is due and nothing vetoes it; returns whether it was done."""
        if not watch.repeats or now < watch.repeats[0]:
            return False
        watch.repeats = [moment for moment in watch.repeats if moment > now]
        findings = watch.findings
        if findings.vetoes(watch.hurried, now):
            return False
        if findings.lacks_udp(now):
            self._subject_pings.send(watch, now)
        if findings.lacks_tcp(now):
            self._tripwires.connect(watch.entry)
        return True

    def confirm(self, watch: Watch, now: float) -> None:
        """Repeat at once what was not refused here, since the subject's kernel refused another member by now.

        This node may have asked while the process was being torn down. Tests that were begun a moment ago are not
        repeated, since their answers may still be on their way.
        """
        findings, answered_by = watch.findings, watch.pinged + max(self._rtt.quantile(QUICK) or 0.0, MOMENT)
        if watch.repeats is None or now < answered_by or findings.vetoes(watch.hurried, now):
            return
        lacks_udp, lacks_tcp = findings.lacks_udp(now), findings.lacks_tcp(now)
        if (lacks_udp or lacks_tcp) and self._subject_pings.besides(watch, now) and lacks_tcp:
            self._tripwires.connect(watch.entry)
