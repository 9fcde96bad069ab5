"""Twelve sealed members on hosts of their own, in all kinds of trouble, with an attacker who lacks only the key.

Hosts are network namespaces on one wire that loses some datagrams. Members are cut off, stopped, killed and started
again under other wall clocks, and their key is rotated, while `path_attacker` sends a hundred datagrams a second.
`Hour.run` returns what came of it: what was false, what was lost, how soon deaths were known, and what memory did.
"""

import json
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import attrs

from support.hosts import Host, connected
from support.hour_member import AFTER, Member
from swim_core import Key

__all__ = ["Hour", "Report"]

MEMBERS = 12
LOSE = """
add table inet lossy
add chain inet lossy in { type filter hook input priority 0; }
add rule inet lossy in iifname eth0 numgen random mod 100 < 2 drop
"""
"""Two percent, on each host's way in: what is dropped on the way out, the sender is told."""
PATIENCE = 120.0  # seconds for all to meet, on the busiest machine
MEASURED_EVERY = 20.0  # seconds between two looks at memory
STARTS = 5.0  # seconds from the start of a process, at most, until it says that it runs
SETTLED = 20.0  # seconds before the first trouble, and after the last


@attrs.define
class Report:
    """What came of it; times in seconds, memory in MB.

    Attributes:
        false: deaths told of members that nothing had happened to, by members that nothing happened to.
        lost: broadcasts that such a member did not get within ten seconds, or was told to be lost.
        intruders: names that are none of ours.
        known: how soon each that was killed was known to the last undisturbed one.
        missed: killed ones whom somebody undisturbed did not tell dead or replaced.
        apart: members that did not list all in the end.
        ended: members that did not run in the end.
        old: broadcasts that a member was told though they were older than its run: those of members that were cut off
            when it came, or that the one which it asked had not heard of. No fault.
        growth: how much memory each run took more in the end than after a minute, of those that lasted for two.
        did: how often what was done.
        attacker: what it sent.
    """

    false: list[str] = attrs.Factory(list)
    lost: list[str] = attrs.Factory(list)
    intruders: set[str] = attrs.Factory(set)
    known: list[float] = attrs.Factory(list)
    missed: list[str] = attrs.Factory(list)
    apart: list[str] = attrs.Factory(list)
    ended: list[str] = attrs.Factory(list)
    old: list[str] = attrs.Factory(list)
    growth: list[tuple[str, float, float]] = attrs.Factory(list)
    suspicions: int = 0
    broadcasts: int = 0
    did: Counter[str] = attrs.Factory(Counter)
    attacker: dict[str, int] = attrs.Factory(dict)


class Hour:
    """See above.

    Args:
        new_host: makes namespaces.
        folder: for keys, logs and, in the end, `hour.json`: who was killed, troubled and said what, when.
        seconds: how long all of it takes.
        rotate: seconds from one rotation to the next.
    """

    def __init__(self, new_host: Callable[[], Host], folder: Path, *, seconds: float, rotate: float) -> None:
        self.seconds, self.rotate, self.random, self._folder = seconds, rotate, Random(1), folder
        hosts = [new_host() for _ in range(MEMBERS + 1)]
        connected(hosts)
        self.hub = hosts[0]
        for number, host in enumerate(hosts):
            host.ip("address", "add", f"10.77.0.{number or 200}/24", "dev", "eth0")
            if number:
                host.execute("nft", LOSE)
        self.members = [Member(number, host, folder) for number, host in enumerate(hosts) if number]
        self.report = Report()
        self._plans: list[tuple[float, Callable[[], None]]] = []
        self._sent: dict[str, tuple[float, Member]] = {}
        self._kills: list[tuple[float, Member]] = []

    def run(self) -> Report:
        """All of it; ends what it started."""
        key = self._new_key()
        for member in self.members:
            member.keys(key)
            member.start([other.address for other in self.members[:3]])
        command = [sys.executable, str(Path(__file__).with_name("path_attacker.py"))]
        attacker = subprocess.Popen(
            ["ip", "netns", "exec", self.hub.name, *command, *(member.address for member in self.members)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            self._live(key)
            out, _ = attacker.communicate(timeout=20)
            self.report.attacker = json.loads(out)
            self._finish()
        finally:
            attacker.kill()
            attacker.communicate()
            for member in self.members:
                member.kill()
                member.errors.close()
        return self.report

    # ------------------------------------------------------------------ what happens

    def _meet(self) -> None:
        """Wait until each has seen all others: what is broadcast before, it never gets."""
        end = time.monotonic() + PATIENCE
        while any(len(member.seen) < MEMBERS - 1 for member in self.members):
            assert time.monotonic() < end, {member.name: sorted(member.seen) for member in self.members}
            time.sleep(0.2)

    def _live(self, key: Key) -> None:
        self._meet()
        begin = time.monotonic()
        end, measured = begin + self.seconds, begin
        rotation = self._rotations(begin + SETTLED, key)
        trouble = begin + SETTLED
        while (now := time.monotonic()) < end:
            for plan in [plan for plan in self._plans if plan[0] <= now]:
                self._plans.remove(plan)
                plan[1]()
            if now >= trouble and now < end - SETTLED - 30:
                trouble = now + self.random.uniform(2.0, 6.0)
                self._trouble(now)
            if now < end - 12:
                self._broadcast(now)
            if now >= measured:
                measured = now + MEASURED_EVERY
                for member in self.members:
                    member.measure(now)
            next(rotation, None)
            time.sleep(0.5)

    def _trouble(self, now: float) -> None:
        calm = [member for member in self.members if member.calm(now - 10, now)]
        if len(calm) < 9:
            return
        member, kind = self.random.choice(calm), self.random.choice(("cut", "blink", "stop", "hiccup", "kill"))
        lasts = {"cut": 15.0, "blink": 1.5, "stop": 12.0, "hiccup": 2.0, "kill": 12.0}[kind]
        self.report.did[kind] += 1
        if kind in ("cut", "blink"):
            self._link(member, "down")
            self._plans.append((now + lasts, lambda: self._link(member, "up")))
        elif kind == "kill":
            member.kill()
            self._kills.append((now, member))
            off = self.random.choice((0.0, 86_400.0 * 400, -86_400.0 * 400))
            seeds = [other.address for other in self.random.sample(self.members, 4)]
            self._plans.append((now + lasts, lambda: member.start(seeds, off)))
        else:
            member.process.send_signal(signal.SIGSTOP)
            self._plans.append((now + lasts, lambda: member.process.send_signal(signal.SIGCONT)))
        if kind not in ("hiccup", "blink"):  # these are not deaths
            member.trouble.append((now, now + lasts))

    def _link(self, member: Member, state: str) -> None:
        self.hub.ip("link", "set", f"port{self.members.index(member) + 1}", state)

    def _broadcast(self, now: float) -> None:
        member = self.random.choice(self.members)
        if member.calm(now - 5, now):
            text = f"{member.name}-{len(self._sent)}"
            self._sent[text] = now, member
            member.command(f"broadcast {text}")

    def _rotations(self, first: float, key: Key) -> Iterator[None]:
        """Take the next step: give each member the new key in turn, then remove the old one."""
        due = first
        while True:
            while time.monotonic() < due:
                yield
            due += self.rotate
            new = self._new_key()
            for held in ((new, key), (new,)):
                for member in self.random.sample(self.members, MEMBERS):
                    member.keys(*held)
                    yield
                until = time.monotonic() + 25.0  # within 15 s all files were looked at; then members have to meet
                while time.monotonic() < until:
                    yield
            key = new
            self.report.did["rotation"] += 1

    def _new_key(self) -> Key:
        return Key(self.random.randbytes(32))

    # ------------------------------------------------------------------ what came of it

    def _finish(self) -> None:
        report = self.report
        asked = time.monotonic()
        for member in self.members:
            member.command("members")
        time.sleep(3.0)
        self._keep()
        report.ended = [m.name for m in self.members if not m.running]
        got: defaultdict[str, dict[str, float]] = defaultdict(dict)
        names = {member.name for member in self.members}
        for observer in self.members:
            listed = [r for at, r in observer.said if at >= asked and r["event"] == "members"]
            live = {m["name"] for r in listed for m in r["members"] if m["state"] in ("alive", "suspect")}
            if live != names:
                report.apart.append(f"{observer.name}: {sorted(live ^ names)}")
            for at, record in observer.said:
                self._judge(observer, at, record, names, got[observer.name])
        report.broadcasts = len(self._sent)
        for text, (at, origin) in self._sent.items():
            for member in self.members:
                calm = member is not origin and member.calm(at - 5, at + 10) and origin.calm(at - 5, at + 10)
                if calm and got[member.name].get(text, at + 99) > at + 10:
                    report.lost.append(f"{text} at {member.name}")
        self._look_for_deaths()
        report.growth = [(member.name, *grown) for member in self.members for grown in member.growth()]

    def _keep(self) -> None:
        """Write down all of it, so that a run that fails need not be run again to be understood."""
        kept = {
            "kills": [(at, member.name) for at, member in self._kills],
            "trouble": {member.name: member.trouble for member in self.members},
            "said": {member.name: list(member.said) for member in self.members},
        }
        (self._folder / "hour.json").write_text(json.dumps(kept))

    def _judge(
        self, observer: Member, at: float, record: dict[str, Any], names: set[str], got: dict[str, float]
    ) -> None:
        kind, name = record["event"], record.get("member")
        if name is not None and name not in names:
            self.report.intruders.add(str(name))
        if kind == "broadcast":
            got.setdefault(record["data"], at)
            sent, _ = self._sent[record["data"]]
            if sent < observer.run_at(at)[0] - STARTS:
                self.report.old.append(f"{record['data']} at {observer.name}")
        elif kind == "lost" and observer.calm(at - 20, at):
            self.report.lost.append(f"{record} told at {observer.name}")
        elif kind == "suspect":
            self.report.suspicions += 1
        elif kind in ("dead", "conflict") and observer.calm(at - 8, at):
            of = observer if kind == "conflict" else next(m for m in self.members if m.name == name)
            if not any(begin <= at <= end + AFTER for begin, end in of.trouble):
                self.report.false.append(f"{kind} {of.name} at {observer.name}")

    def _look_for_deaths(self) -> None:
        for at, victim in self._kills:
            for observer in self.members:
                if observer is not victim and observer.calm(at - 5, at + 12):
                    told = [
                        t
                        for t, r in observer.said
                        if t >= at and (r["event"], r.get("member")) == ("dead", victim.name)
                    ]
                    if told and told[0] < at + 12:
                        self.report.known.append(told[0] - at)
                    else:
                        self.report.missed.append(f"{victim.name} at {observer.name}")
