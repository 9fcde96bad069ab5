"""Bugs of judgement, one line each, to see which of the tests and of the chaos would notice them.

1 to 22 were thought up by an adversarial review. 23 to 32 are the first ten of ``random.Random(20261129).sample`` over
the 4,453 mutants that mutmut 3.8.1 makes of claims/, detection/ and dissemination/ in this order, files and mutants in
theirs: drawn before the chaos was taught to see any of them, and kept as drawn. 33 came with its rule; 34 and 35 were
in the code, the first without a scenario in which it would show; 36 is what 31 was meant to be, whose line is set
anew for each watch, so that nothing changes.
"""

from typing import NamedTuple

__all__ = ["BUGS", "Bug"]

DETECTION, DISSEMINATION, CLAIMS = (f"swim_core/native/{part}/" for part in ("detection", "dissemination", "claims"))


class Bug(NamedTuple):
    """One bug to plant.

    Attributes:
        number: by which it is called.
        breaks: what no longer holds.
        file: from the root of the repository.
        old: text that stands there once.
        new: what is put in its place.
        tests: where its unit tests are, below tests/.
    """

    number: int
    breaks: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


WATCHES, PROBING, SPREADING = ("unit/native/watches",), ("unit/native/probing",), ("unit/native/dissemination",)
CLAIMED, BROADCAST, JOINING = ("unit/native/claims",), ("unit/native/broadcasts",), ("unit/native/joining",)
WIRED = ("unit/native/tripwires",)

BUGS = (
    Bug(
        1,
        "a quorum of one helper",
        DETECTION + "judge.py",
        "return min(2, max(0, self._table.live_count - 2 - silent))",
        "return min(1, max(0, self._table.live_count - 2 - silent))",
        WATCHES,
    ),
    Bug(
        2,
        "votes that answer no poll confirm",
        DETECTION + "watch.py",
        "answers = [helper.answers[nonce] for nonce in self.nonces if nonce in helper.answers]",
        "answers = [helper.vote] if helper.vote is not None else []",
        WATCHES,
    ),
    Bug(
        3,
        "an observer's pause counts in its ages",
        "swim_core/shared/local_health.py",
        "            self._asleep += lag\n",
        "            self._asleep += 0.0\n",
        (*WATCHES, *PROBING),
    ),
    Bug(
        4,
        "datagrams of the deaf count as life",
        "swim_core/native/router.py",
        "if not sender.flags & Flags.DEAF:",
        "if True:",
        (*WATCHES, *PROBING),
    ),
    Bug(
        5,
        "who is left over, where members are odd, is not pinged",
        DETECTION + "prober.py",
        "        if self.enabled and self._besides is not None and self._besides.live:",
        "        if False and self._besides is not None and self._besides.live:",
        PROBING,
    ),
    Bug(
        6,
        "a window of 64 broadcasts in place of 1,024",
        DISSEMINATION + "window.py",
        "SIZE = 1_024",
        "SIZE = 64",
        BROADCAST,
    ),
    Bug(
        7,
        "a sync does not push back",
        DISSEMINATION + "sync_push.py",
        "        self._push(chunks(entries, size - self._overhead - PAGE_OVERHEAD), peer, now)",
        "        pass",
        SPREADING,
    ),
    Bug(
        8,
        "the dead are never tried again",
        DETECTION + "dead_prober.py",
        "                if turn is not None:\n                    self._tell(attempt, now)",
        "                if turn is not None:\n                    pass",
        PROBING,
    ),
    Bug(
        9,
        "floods go along one ring only",
        "swim_core/native/table/topology.py",
        "for ring, place in zip(self.rings, self._own_places(), strict=True):",
        "for ring, place in list(zip(self.rings, self._own_places(), strict=True))[:1]:",
        SPREADING,
    ),
    Bug(
        10,
        "repair asks the origin only",
        DISSEMINATION + "repair.py",
        "        for first in (stream.teller, self._table.by_id(stream.run)):\n"
        "            if first is not None and first.live and first.short_id not in asked:\n"
        "                return first\n",
        "        origin = self._table.by_id(stream.run)\n"
        "        return origin if origin is not None and origin.live else None\n",
        BROADCAST,
    ),
    Bug(
        11,
        "old deaths are believed at once",
        CLAIMS + "merging.py",
        "if self._is_paged(sender, teller) or self._is_old(claim, now) or self._is_contradicted(claim, entry, now):",
        "if False:",
        CLAIMED,
    ),
    Bug(
        12,
        "an accuser goes on after a helper heard the member",
        DETECTION + "watches.py",
        "        if vote.kind is VoteKind.ALIVE:\n            self._end(watch, now)\n",
        "        if vote.kind is VoteKind.ALIVE:\n            pass\n",
        WATCHES,
    ),
    Bug(
        13,
        "a silent kernel counts without a tripwire that stands",
        DETECTION + "kernel_findings.py",
        "if self.silent is not None and self.wired:",
        "if self.silent is not None:",
        (*WATCHES, *WIRED),
    ),
    Bug(
        14,
        "one sender alone moves the clock as far as it likes",
        "swim_core/native/cluster_clock.py",
        "if self._unwitnessed + ahead <= JUMP:",
        "if True:",
        PROBING,
    ),
    Bug(
        15,
        "nothing is told twice",
        DISSEMINATION + "gossip.py",
        "        for delay in delays:\n            self._timers.at(now + delay, act)",
        "        return",
        SPREADING,
    ),
    Bug(
        16,
        "who waits for a ping never pings itself",
        DETECTION + "prober.py",
        "        if self.enabled and self._partner is not None and self._partner.live:\n            self.probe",
        "        if self.enabled and self._partner is not None and self._partner.live and self.awaited is None:\n"
        "            self.probe",
        PROBING,
    ),
    Bug(
        17,
        "a page boundary of a sync skips a member",
        DISSEMINATION + "sync_pages.py",
        "return SyncPage(request.id, entry.phase, bitmap",
        "return SyncPage(request.id, entry.phase + 1, bitmap",
        SPREADING,
    ),
    Bug(
        18,
        "no brake while most seem to have ended",
        DETECTION + "judge.py",
        "BRAKE = 3 ",
        "BRAKE = 1 ",
        WATCHES,
    ),
    Bug(
        19,
        "votes count for 13 s",
        DETECTION + "watch.py",
        "VOTE_LIFE = 1.3 ",
        "VOTE_LIFE = 13. ",
        WATCHES,
    ),
    Bug(
        20,
        "those that are silent themselves count as helpers to be had",
        DETECTION + "judge.py",
        "self._table.live_count - 2 - silent",
        "self._table.live_count - 2 - 0 * silent",
        WATCHES,
    ),
    Bug(
        21,
        "a deaf node does not ask its seeds",
        "swim_core/native/joining/joiner.py",
        "        parked = [seed for seed in self._seeds if not seed.asked and seed.due > now]",
        "        parked: list[Seed] = []",
        JOINING,
    ),
    Bug(
        22,
        "an accepted connection vetoes for 40 s",
        DETECTION + "kernel_findings.py",
        "VETO_LIFE = 4.0 ",
        "VETO_LIFE = 40. ",
        (*WATCHES, *WIRED),
    ),
    Bug(
        23,
        "a node's claim of itself says nothing of its metadata",
        CLAIMS + "local_member.py",
        "incarnation, State.ALIVE, self._metadata)",
        "incarnation, State.ALIVE, )",
        CLAIMED,
    ),
    Bug(
        24,
        "a broadcast that waited for its origin's claim is not delivered: a TypeError",
        DISSEMINATION + "broadcasts.py",
        "            self._deliver(stream, broadcast, now)\n\n    def remind_anew",
        "            self._deliver(stream, now)\n\n    def remind_anew",
        BROADCAST,
    ),
    Bug(
        25,
        "members connect to loopback addresses of another host",
        DETECTION + "tripwires.py",
        "or not (is_loopback(address) or address.host in _THIS_HOST)",
        "or not (is_loopback(address) and address.host in _THIS_HOST)",
        WIRED,
    ),
    Bug(
        26,
        "a round may look at any number of dead members",
        DETECTION + "dead_prober.py",
        "LOOKED_AT = 256 ",
        "LOOKED_AT = None ",
        PROBING,
    ),
    Bug(
        27,
        "who refutes a suspicion is taken to have been dead, and syncs",
        CLAIMS + "local_member.py",
        "Refutation.ANSWERED if claim.state.live else",
        "Refutation.ANSWERED if (claim.state.live) and False else",
        (*CLAIMED, *SPREADING),
    ),
    Bug(
        28,
        "the window of an older run can't expire: a TypeError",
        DISSEMINATION + "streams.py",
        "OLD_RUN = 60.0 ",
        "OLD_RUN = None ",
        BROADCAST,
    ),
    Bug(
        29,
        "a vote says nothing of its silence",
        DETECTION + "watch.py",
        "nonce, kind, _ms(age), kernel, _ms(kernel_age))",
        "nonce, kind, kernel, _ms(kernel_age))",
        WATCHES,
    ),
    Bug(
        30,
        "a dead member can't be entered for another try: a TypeError",
        DETECTION + "dead_prober.py",
        "_Try(entry, now + self._first, self._first)",
        "_Try(entry, self._first)",
        PROBING,
    ),
    Bug(
        31,
        "a refusal counts though no tripwire ever stood",
        DETECTION + "kernel_findings.py",
        "    contact: bool = False\n",
        "    contact: bool = True\n",
        (*WATCHES, *WIRED),
    ),
    Bug(
        32,
        "a run that takes a new epoch at the top of its incarnations has no time for it",
        CLAIMS + "local_member.py",
        "return self._put(self._after(epoch), 0, now)",
        "return self._put(self._after(epoch), 0, None)",
        CLAIMED,
    ),
    Bug(
        33,
        "the silence of a kernel is believed again, though its process lived through the last one",
        DETECTION + "tripwires.py",
        "if entry.short_id in self._standing and entry.short_id not in self._doubted:",
        "if False and entry.short_id in self._standing and entry.short_id not in self._doubted:",
        WIRED,
    ),
    Bug(
        34,
        "who paused twice accuses nobody until an ack comes, though nobody may be left to ack",
        "swim_core/shared/local_health.py",
        "return self._halted and now - self.last_pause < self._limits.isolation",
        "return self._halted",
        ("simulation/test_detection.py",),
    ),
    Bug(
        35,
        "the first member of a cluster counts as a newcomer, which misses nothing",
        "swim_core/native/coming.py",
        "return self.at is not None and not self.settled",
        "return not self.settled",
        BROADCAST,
    ),
    Bug(
        36,
        "a refusal by TCP counts where nobody ever listened",
        DETECTION + "watches.py",
        "watch.findings.contact = self._tripwires.has_greeted(short_id)",
        "watch.findings.contact = True",
        (*WATCHES, *WIRED),
    ),
)
