"""Tripwires: connections that break when a process dies, and connections made to ask a kernel (docs/protocol.md).

The core opens none. It says which members to connect to (`TripwirePlan`) and where to try a connection
(`Tripwires.poll`); an adapter does so and feeds back what the kernels said. A broken tripwire is a reason to test,
never a verdict.
"""

from swim_core.address import Address, is_loopback
from swim_core.member import State
from swim_core.native.claims.local_member import LocalMember
from swim_core.native.context import NodeContext
from swim_core.native.table.entry import Change, Entry
from swim_core.protocol import KernelEvidence
from swim_core.shared.local_health import LocalHealth
from swim_core.shared.timers import Timer
from swim_core.tripwire import NO_TRIPWIRES, Tripwire, TripwirePlan, TripwireSeal, greeting_of, run_greeted

from .evidence_log import EvidenceLog
from .kernel_findings import EVIDENCE_LIFE, KernelFindings
from .prober import Prober

__all__ = ["Tripwires"]

RETESTS = (1, 3, 7, 15, 31)
"""Units of time after which tests are repeated. A kernel closes the sockets of a process one after the other: for some
ms its listener may still accept, or its UDP socket swallow a ping. The question or the answer may also be lost."""
UNIT = 0.01  # seconds, at least; if an answer takes longer, it is waited for
# Seconds until a kernel that was silent though its process was alive is asked again, and between later questions.
# Adapters end a connection on which nothing comes for 40 s.
ASK_SOON, ASK_AGAIN = 1.0, 10.0
_THIS_HOST = {"0.0.0.0", "::"}  # connecting there connects to a loopback address


class Tripwires:
    """Knows which members to wire, which were greeted, and which connections to try.

    Attributes:
        enabled: whether the adapter speaks TCP for this node.
    """

    def __init__(
        self,
        context: NodeContext,
        local: LocalMember,
        health: LocalHealth,
        evidence_log: EvidenceLog,
        prober: Prober,
    ) -> None:
        self._timers = context.timers
        self._rtt = context.rtt
        self._table = context.table
        self._hashes = context.hashes
        self._local = local
        self._health = health
        self._evidence_log = evidence_log
        self._prober = prober
        self._greeted: set[int] = set()  # short ids
        self._standing: set[int] = set()  # short ids of those whose connection has not broken since
        self._doubted: dict[
            int, Timer
        ] = {}  # of those whose kernel was silent though they were alive: when to ask again
        self._lost: dict[int, float] = {}  # short ids of those whose connection broke lately
        self._testing: set[int] = set()  # those of them whose tests are being repeated
        self._connects: dict[Address, None] = {}
        self._plan = NO_TRIPWIRES
        self._seal: TripwireSeal | None = None
        if context.sealer is not None:
            from swim_core.native.sealing.tripwire_seal import KeysForTripwires  # what few nodes need, none else loads

            self._seal = KeysForTripwires(context.sealer)
        self._wired: tuple[int, int, bool] | None = (
            None  # the plan's topology version, own run, and whether it is enabled
        )
        self.enabled = False

    # ------------------------------------------------------------------ what the adapter asks

    @property
    def tripwire_plan(self) -> TripwirePlan:
        """The members to wire; the same object until that changes."""
        wired = (self._table.topology.version, self._local.short_id, self._local.silent)
        if self.enabled and wired != self._wired:
            self._wired = wired
            peers = [] if wired[2] else [e for e in self._table.topology.successors() if self._leads_to_it(e.address)]
            plan = TripwirePlan(
                self._greeting(self._local.short_id),
                tuple(Tripwire(entry.address, self._greeting(entry.short_id)) for entry in peers),
                self._seal,
            )
            if plan != self._plan:
                self._plan = plan
        return self._plan

    @property
    def standing(self) -> int:
        """How many tripwires of the plan were greeted and have not broken since."""
        return sum(run_greeted(peer.greeting) in self._standing for peer in self.tripwire_plan.peers)

    def _greeting(self, short_id: int) -> bytes:
        return greeting_of(self._hashes.label, short_id)

    def poll(self) -> Address | None:
        """The next address to try a connection to."""
        if not self._connects:
            return None
        address = next(iter(self._connects))
        del self._connects[address]
        return address

    # ------------------------------------------------------------------ what the adapter tells

    def entry_of(self, greeting: bytes, address: Address) -> Entry | None:
        """The live member that a tripwire to ``address`` with that greeting leads to; None if there is none any
        longer."""
        short_id = run_greeted(greeting) if self.enabled else None
        entry = None if short_id is None else self._table.by_id(short_id)
        return entry if entry is not None and entry.live and entry.address == address else None

    def feed(self, entry: Entry, kind: KernelEvidence, now: float) -> None:
        """Take the news that a tripwire to that member was greeted, or broke."""
        if kind is KernelEvidence.CONNECTED:
            self.trust(entry.short_id)
            self._greeted.add(entry.short_id)
            self._standing.add(entry.short_id)
        else:
            self._break(entry.short_id)
            self._test_after_loss(entry, now)

    def _break(self, short_id: int) -> None:
        self.trust(short_id)
        self._standing.discard(short_id)

    def _test_after_loss(self, entry: Entry, now: float) -> None:
        """Ping the member and have a connection tried, now and a few more times."""
        short_id = entry.short_id
        self._evidence_log.note_kernel(entry.name, KernelEvidence.CONNECTION_LOST, now)
        self._lost[short_id] = now
        self._testing.add(short_id)
        self._test(entry, now)
        for moment in self.retests(now):
            self._timers.at(moment, lambda at: self._test_again(entry, short_id, at))
        self._timers.at(now + EVIDENCE_LIFE, lambda at: self._forget_loss(short_id, now))

    def retests(self, now: float) -> list[float]:
        """When to repeat tests that begin now, and other urgent steps, as long as there is no answer."""
        unit = max(UNIT, 0.75 * self._rtt.answer)
        return [now + unit * units for units in RETESTS]

    def _test_again(self, entry: Entry, short_id: int, now: float) -> None:
        if short_id in self._testing and entry.short_id == short_id:
            self._test(entry, now)

    def _test(self, entry: Entry, now: float) -> None:
        if entry.live and not (self._health.deaf or self._local.silent):
            self._prober.probe(entry, now)
            self.connect(entry)

    def _forget_loss(self, short_id: int, lost: float) -> None:
        if self._lost.get(short_id) == lost:
            self.answered(short_id)

    # ------------------------------------------------------------------ what other components ask and tell

    def connect(self, entry: Entry) -> None:
        """Have a connection to the member's address tried, and another one on a fresh socket if one is under way: a
        lost SYN is not sent again for a second."""
        if self.enabled and self._leads_to_it(entry.address):
            self._connects[entry.address] = None

    def _leads_to_it(self, address: Address) -> bool:
        """Whether a connection to a member's address can lead to that member, and not to this host (unless this node is
        there).

        Claims are easily made up. They must not make members connect to services that their hosts offer on loopback
        only.
        """
        return is_loopback(self._local.address) or not (is_loopback(address) or address.host in _THIS_HOST)

    def has_greeted(self, short_id: int) -> bool:
        """Whether that run ever greeted a tripwire of this node."""
        return short_id in self._greeted

    def inform(self, findings: KernelFindings, short_id: int) -> None:
        """Note whether the tripwire to that run stands."""
        findings.wired = short_id in self._standing and short_id not in self._doubted
        findings.lost = self._lost.get(short_id)

    def doubt(self, entry: Entry, now: float) -> None:
        """Note that the member's kernel was silent although the member was heard, here or by others.

        Perhaps TCP no longer gets there, and its tripwire does not show that yet. Until a connection is answered, the
        next silence says nothing about its host.
        """
        if entry.short_id in self._standing and entry.short_id not in self._doubted:
            self._ask_later(entry, entry.short_id, now + ASK_SOON)

    def _ask_later(self, entry: Entry, short_id: int, when: float) -> None:
        self._doubted[short_id] = self._timers.at(when, lambda at: self._ask_again(entry, short_id, at))

    def _ask_again(self, entry: Entry, short_id: int, now: float) -> None:
        if entry.short_id == short_id and entry.live:
            self._ask_later(entry, short_id, now + ASK_AGAIN)
            self.connect(entry)
        else:  # its tripwire is not kept any longer
            self._break(short_id)

    def trust(self, short_id: int) -> None:
        """Note that a connection to that run was answered."""
        timer = self._doubted.pop(short_id, None)
        if timer is not None:
            timer.cancel()

    def lost_at(self, short_id: int) -> float | None:
        """When a tripwire to that run broke, if that was lately and the run has answered no ping since."""
        return self._lost.get(short_id)

    def answered(self, short_id: int) -> None:
        """Note that a run answered a ping: whatever broke the connection, it was not the end of that run."""
        self._lost.pop(short_id, None)
        self._testing.discard(short_id)

    def hand_over(self, short_id: int) -> None:
        """Leave the tests of that run to a watch from now on."""
        self._testing.discard(short_id)

    def on_change(self, change: Change) -> None:
        """Forget what is known of a run that has ended.

        A DEAD member may refute that within the second in which its tripwire is kept: there will be no new greeting.
        """
        if change.before is not None and (change.claim.state is State.LEFT or change.new_run):
            self.forget(change.before_id)

    def forget(self, short_id: int) -> None:
        """Forget a run whose member was forgotten."""
        self._greeted.discard(short_id)
        self._break(short_id)
