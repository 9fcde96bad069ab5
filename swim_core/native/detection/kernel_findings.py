"""What kernels say about one silent member to one observer, and what follows from that."""

import msgspec

from swim_core.native.wire.messages import KernelVerdict
from swim_core.protocol import KernelEvidence

__all__ = ["APART", "EVIDENCE_LIFE", "KernelFindings"]

EVIDENCE_LIFE = 2.0  # seconds for which kernel evidence counts
APART = 0.8  # re-ping intervals between two refusals by UDP that count as two
# Seconds between two refusals by TCP that count, with a lost connection, if UDP says nothing. If something else held
# the process's TCP port and let go of it, a hiccup must not have the process declared dead.
SETTLED = 1.0
VETO_LIFE = 4.0  # seconds for which an accepted connection counts: until the next one, tried 2 s later, has an outcome
TEST_LIFE = 3.0  # seconds awake after which a test without a reported outcome is repeated


class KernelFindings(msgspec.Struct):
    """What this node's kernel reported about the member's address.

    ``silent`` and ``tested`` are on the clock that counts time awake (`LocalHealth.awake`), the others on the local
    one.

    Attributes:
        contact: whether this very run ever greeted a tripwire. If not, a refused connection proves nothing, since
            perhaps nobody ever listened there.
        wired: whether that tripwire stands. If not, an unanswered connection proves nothing: a firewall may let only
            datagrams pass, or the backlog of a stalled process may be full. While it stands, the kernel there acks.
        lost: when such a tripwire broke.
        doubted: whether refusals of this run turned out to be false before (`FalseRefusals`): then two by UDP that are
            not of one burst are needed, or a lost connection, and the run must stay silent in between.
        replaced: when another run answered at the address.
        reachable: when a connection was accepted; a later refusal by TCP cancels it, since the kernel may have been
            tearing the process down.
        silent: since when connections have stayed unanswered.
        tested: when the present connection attempt began.
        between: for how long a refused ping counts, if the next one comes later than usual.
    """

    contact: bool = False
    wired: bool = False
    lost: float | None = None
    doubted: bool = False
    replaced: float | None = None
    first_refused: float | None = None
    refused: float | None = None
    first_refused_tcp: float | None = None
    refused_tcp: float | None = None
    reachable: float | None = None
    silent: float | None = None
    tested: float | None = None
    between: float = 0.0

    def take(self, kind: KernelEvidence, now: float, awake: float) -> None:
        """Take what a kernel reported."""
        if kind is KernelEvidence.REFUSED_UDP:
            self.refuse_udp(now)
        elif kind is KernelEvidence.REFUSED_TCP:
            self.refuse_tcp(now)
        elif kind is KernelEvidence.REACHABLE:
            self.reach(now)
        elif kind is KernelEvidence.KERNEL_SILENT:
            self.hear_nothing(awake)

    def refuse_udp(self, now: float) -> None:
        """Take a refused datagram."""
        if not self._holds(now):
            self.first_refused = now
        self.refused = now
        self.silent = None

    def refuse_tcp(self, now: float) -> None:
        """Take a refused connection."""
        self.forget_tests()
        self.reachable = None
        if not self.contact:
            return
        if not _recent(self.refused_tcp, now):
            self.first_refused_tcp = now
        self.refused_tcp = now

    def reach(self, now: float) -> None:
        """Take an accepted connection."""
        self.forget_tests()
        self.first_refused_tcp = self.refused_tcp = None
        self.reachable = now

    def hear_nothing(self, awake: float) -> None:
        """Take an unanswered connection: the silence counts from its beginning."""
        self.reachable = None
        if self.silent is None:
            self.silent = awake if self.tested is None else self.tested
        self.tested = None

    def forget_tests(self) -> None:
        """Forget connections that were not answered so far: they prove nothing."""
        self.silent = self.tested = None

    def wants_test(self, now: float, awake: float) -> bool:
        """Whether another connection could tell anything new: none is under way, and none was accepted just now.

        A stalled process takes no connections from its backlog, and a full backlog would look like silence.
        """
        under_way = self.tested is not None and awake - self.tested < TEST_LIFE
        return not under_way and not _recent(self.reachable, now)

    @property
    def denied(self) -> bool:
        """Whether a kernel ever said in this watch that nobody is there."""
        return self.refused is not None or self.refused_tcp is not None

    def alarming(self, now: float) -> bool:
        """Whether there are signs that the process has ended, rather than only of silence."""
        return any(_recent(at, now) for at in (self.lost, self.refused, self.refused_tcp))

    def lacks_udp(self, now: float) -> bool:
        """Whether no ping was refused lately."""
        return not _recent(self.refused, now)

    def lacks_tcp(self, now: float) -> bool:
        """Whether no connection was refused lately."""
        return not _recent(self.refused_tcp, now)

    def vetoes(self, since: float, now: float) -> bool:
        """Whether a connection was accepted lately, since that moment, and no tripwire broke, which would mean that the
        kernel was tearing the process down."""
        accepted = self.reachable is not None and self.reachable >= since
        return accepted and _recent(self.reachable, now) and not _recent(self.lost, now)

    def verdict(self, reping: float, now: float, awake: float) -> tuple[KernelVerdict, float]:
        """The verdict of these findings, and for how many seconds it has held.

        REFUSED takes a refusal by UDP and one by TCP, or two by UDP that are not of one burst: a firewall's REJECT
        looks like a dead process, so one refusal never kills. If UDP says nothing (because of a limit on ICMP, or on
        systems other than Linux), a lost connection and two refusals by TCP are enough, if a live process would have
        had time between them to answer the pings that went with them. A kernel that accepts a connection vetoes
        REFUSED.
        """
        if self.replaced is not None and _recent(self.replaced, now):
            return KernelVerdict.REFUSED, now - self.replaced
        if self.reachable is not None and now - self.reachable <= VETO_LIFE:
            return KernelVerdict.REACHABLE, now - self.reachable
        since = self._refused_since(reping, now)
        if since is not None:
            return KernelVerdict.REFUSED, now - since
        if self.silent is not None and self.wired:
            return KernelVerdict.SILENT, awake - self.silent
        return KernelVerdict.NONE, 0.0

    def _refused_since(self, reping: float, now: float) -> float | None:
        by_udp, by_tcp = self._holds(now), _recent(self.refused_tcp, now)
        if by_udp and ((by_tcp and not self.doubted) or _apart(self.first_refused, self.refused, APART * reping)):
            return self.refused
        if by_tcp and _recent(self.lost, now) and _apart(self.first_refused_tcp, self.refused_tcp, SETTLED):
            return self.refused_tcp
        return None

    def _holds(self, now: float) -> bool:
        """Whether a ping was refused lately, or when two pings ago: many members under watch are pinged more rarely."""
        return self.refused is not None and now - self.refused <= max(EVIDENCE_LIFE, self.between)


def _recent(at: float | None, now: float) -> bool:
    return at is not None and now - at <= EVIDENCE_LIFE


def _apart(first: float | None, last: float | None, seconds: float) -> bool:
    return first is not None and last is not None and last - first >= seconds
