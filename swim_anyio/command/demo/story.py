"""What happens to the demo's cluster, and what must hold at each step.

Steps wait for conditions rather than for durations. If a condition isn't met in time, the step fails and the story
continues, within the time that a whole run may take.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import anyio
import attrs

from swim_core import Keys
from swim_core.address import canonical, split_host_port
from swim_core.native.sealing.ring import key_id
from swim_threads.key_file import KeyFile

from ..keys.files import put_first, take_out
from ..keys.status import ask_for_keys
from ..tools.asking import Target
from .cluster import Agent, AgentFailed, Cluster

__all__ = ["Outcome", "Teller", "run_story"]

START_DEADLINE = 15.0  # seconds for a step that starts agents: twenty interpreters on two busy processors need a while
RESTART_DEADLINE = START_DEADLINE
DEADLINE = 8.0  # for steps that take milliseconds to two seconds on an idle machine
WHOLE = 50.0  # for everything: less than a minute, including the end of the agents
STALL = 2.0  # below the 3 s that the preset tolerates, above the 1.5 s at which it suspects


@attrs.frozen
class Outcome:
    """How a step went.

    Attributes:
        step: one word.
        ok: whether everything went as it should.
        seconds: how long it took.
        text: what happened, for people.
        facts: what happened in numbers and names, for programs.
    """

    step: str
    ok: bool
    seconds: float
    text: str
    facts: dict[str, Any]


class Teller(Protocol):
    """Receives the story."""

    @property
    def pace(self) -> float:
        """Seconds between two steps, so that people can follow."""

    def announce(self, text: str) -> None:
        """Say what is happening now."""

    def tell(self, outcome: Outcome) -> None:
        """Report a step that is over."""


def run_story(cluster: Cluster, count: int, teller: Teller) -> list[Outcome]:
    """Take ``count`` agents (at least 3) through all steps; returns the outcome of each."""
    story = _Story(cluster, count, teller)
    rotate = [story.rotate] if cluster.key_file else []
    steps = (story.form, story.broadcast, *rotate, story.stall, story.kill, story.leave, story.restart, story.stop)
    for step in steps:
        began = time.time()
        try:
            if story.outcomes:
                story.until(lambda: False, teller.pace)
                began = time.time()
            ok, text, facts = step()
        except AgentFailed as failure:
            ok, text, facts = False, str(failure), {}
        outcome = Outcome(step.__name__, ok, round(time.time() - began, 3), text, facts)
        story.outcomes.append(outcome)
        teller.tell(outcome)
        if not ok and step == story.form:
            break
    return story.outcomes


Result = tuple[bool, str, dict[str, Any]]


class _Story:
    def __init__(self, cluster: Cluster, count: int, teller: Teller) -> None:
        self.outcomes: list[Outcome] = []
        self._cluster = cluster
        self._count = count
        self._announce = teller.announce
        self._end = time.monotonic() + WHOLE
        self._killed = self._restarted = float("inf")  # seconds since 1970; in between n3 may be seen as dead

    def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Like `Cluster.until`, but not beyond the end of the whole run."""
        return self._cluster.until(condition, min(seconds, self._end - time.monotonic()))

    def form(self) -> Result:
        self._announce(f"{self._count} agents start and join the first")
        cluster = self._cluster
        seed = cluster.start("n1")
        if not self.until(lambda: bool(seed.address), START_DEADLINE):
            return False, "n1 did not start", {}
        began = time.time()
        for number in range(2, self._count + 1):
            cluster.start(f"n{number}", join=seed.address)
        formed = self.until(self._all_agree, START_DEADLINE)
        seconds = round(time.time() - began, 3)
        pids = {agent.name: agent.process.pid for agent in cluster.agents.values()}
        if not formed:
            return False, f"after {seconds:.1f} s not all agents see each other", {"pids": pids}
        return True, f"{self._count} agents see each other {seconds:.1f} s after they started", {"pids": pids}

    def broadcast(self) -> Result:
        self._announce("n1 broadcasts")
        return self._broadcast(self._agent("n1"), "hello from n1")

    def rotate(self) -> Result:
        """The new key is put first, then the old one is dropped; all agents read one file."""
        file = self._cluster.key_file
        assert file is not None
        (old,) = KeyFile(file).read()
        began = time.time()
        self._announce("a new key is put first in the key file; all agents read it (SIGHUP)")
        new = put_first(file)
        self._cluster.reload_keys()
        turned = self.until(self._hold_exactly(Keys([new, old])), DEADLINE)
        self._announce("all agents prefer the new key; the old one is dropped")
        take_out(file, old)
        self._cluster.reload_keys()
        dropped = self.until(self._hold_exactly(Keys([new])), DEADLINE)
        seconds = round(time.time() - began, 1)
        heard, words, facts = self._broadcast(self._agent("n2"), "sealed with the new key")
        what = "was" if turned and dropped else "was not"
        text = f"the key {what} rotated everywhere within {seconds:g} s; {words}"
        return turned and dropped and heard, text, {**facts, "rotated": turned and dropped}

    def _hold_exactly(self, keys: Keys) -> Callable[[], bool]:
        """Whether all agents hold these keys, asked of each; not more than twice a second."""
        label = self._cluster.label
        ids = [key_id(key, label) for key in keys]
        asked = 0.0

        def hold() -> bool:
            nonlocal asked
            if time.monotonic() - asked < 0.5:
                return False
            addresses = {agent.name: canonical(*split_host_port(agent.address)) for agent in self._cluster.up()}
            target = Target(tuple(addresses.values())[:1], "", label, keys)
            pages = anyio.run(ask_for_keys, target, addresses, backend="asyncio").values()
            asked = time.monotonic()
            return all(page is not None and page.held == ids for page in pages)

        return hold

    def stall(self) -> Result:
        agent = self._agent("n2")
        self._announce(f"{agent.name} is stopped for {STALL:g} s (SIGSTOP): nobody may declare it dead")
        began = time.time()
        with self._cluster.stopped(agent):
            self.until(lambda: False, STALL)
        self._announce(f"{agent.name} is resumed (SIGCONT) and broadcasts")
        heard, _, facts = self._broadcast(agent, "still here")
        agreed = self.until(self._all_agree, DEADLINE)
        others = self._cluster.up(agent)
        suspected = [other.name for other in others if other.said("suspect", member=agent.name, since=began)]
        dead = [other.name for other in others if other.said("dead", member=agent.name, since=began)]
        text = f"{agent.name} stalled for {STALL:g} s: {len(suspected)} suspected it, {len(dead)} declared it dead;"
        text += " all hear it again" if heard and agreed else " not all hear it again"
        return heard and agreed and not dead, text, {**facts, "suspected_by": suspected, "dead_by": dead}

    def kill(self) -> Result:
        agent = self._agent("n3")
        self._announce(f"{agent.name} is killed (SIGKILL)")
        began = self._killed = time.time()
        self._cluster.kill(agent)
        return self._spread(f"{agent.name} was killed", "noticed", "dead", agent, began, DEADLINE)

    def leave(self) -> Result:
        agent = self._agent("n2" if self._count == 3 else "n4")
        self._announce(f"{agent.name} leaves")
        agent.status = "leaving"
        began = time.time()
        agent.command("leave")
        ok, text, facts = self._spread(f"{agent.name} left", "noticed", "left", agent, began, DEADLINE)
        ended = self.until(lambda: agent.process.poll() is not None, DEADLINE)
        agent.status = "left" if ended else "leaving"
        status = agent.process.poll()
        return (
            ok and status == 0,
            text if status == 0 else f"{text}; its exit status was {status}",
            {**facts, "status": status},
        )

    def restart(self) -> Result:
        address = self._agent("n3").address
        self._announce("n3 is restarted at the same address")
        began = self._restarted = time.time()
        agent = self._cluster.start("n3", bind=address, join=self._agent("n1").address)
        ok, text, facts = self._spread("n3 is back", "see it alive", "alive", agent, began, RESTART_DEADLINE)
        agreed = self.until(self._all_agree, DEADLINE)
        return ok and agreed, text if agreed else f"{text}; it doesn't see all", facts

    def stop(self) -> Result:
        self._announce("all are told to leave (SIGTERM)")
        agents = self._cluster.up()
        for agent in agents:
            agent.status = "leaving"
            agent.process.terminate()
        self.until(lambda: all(agent.process.poll() is not None for agent in agents), DEADLINE)
        statuses = {agent.name: agent.process.poll() for agent in agents}
        for agent in agents:
            agent.status = "leaving" if statuses[agent.name] is None else "left"
        clean = list(statuses.values()).count(0)
        wronged = self._wronged()
        text = f"{clean} of {len(agents)} left when told to, "
        text += (
            f"but {', '.join(wronged)} had wrongly been declared dead"
            if wronged
            else "and nobody was ever wrongly declared dead"
        )
        return clean == len(agents) and not wronged, text, {"statuses": statuses, "wrongly_dead": wronged}

    def _agent(self, name: str) -> Agent:
        return self._cluster.agents[name]

    def _all_agree(self) -> bool:
        """Whether every agent sees every other one alive."""
        up = self._cluster.up()
        return all(agent.beliefs.get(other.name) == "alive" for agent in up for other in up if other is not agent)

    def _wronged(self) -> list[str]:
        """Agents that were declared dead although they were not."""
        deaths = [record for _, record in self._cluster.history if record["event"] == "dead"]
        return sorted(
            {d["member"] for d in deaths if d["member"] != "n3" or not self._killed <= d["t"] <= self._restarted}
        )

    def _broadcast(self, agent: Agent, text: str) -> Result:
        """Let ``agent`` broadcast; every other one must hear it exactly once."""
        others = self._cluster.up(agent)
        began = time.time()
        agent.command(f"broadcast {text}")

        def heard(other: Agent) -> list[dict[str, Any]]:
            return other.said("broadcast", member=agent.name, data=text)

        self.until(lambda: all(heard(other) for other in others), DEADLINE)
        delays = _delays(map(heard, others), began)
        doubled = [other.name for other in others if len(heard(other)) > 1]
        words = f"{agent.name} broadcast: {_count(delays, others)} heard it{_times(delays)}"
        facts = {"heard": len(delays), "of": len(others), "delays": delays, "heard_twice": doubled}
        return len(delays) == len(others) and not doubled, words, facts

    def _spread(self, what: str, verb: str, event: str, agent: Agent, began: float, within: float) -> Result:
        """Wait until every other agent has reported ``event`` of ``agent``, ``within`` that many seconds."""
        others = self._cluster.up(agent)

        def said(other: Agent) -> list[dict[str, Any]]:
            return other.said(event, member=agent.name, since=began)

        self.until(lambda: all(said(other) for other in others), within)
        delays = _delays(map(said, others), began)
        words = f"{what}: {_count(delays, others)} {verb}{_times(delays)}"
        return len(delays) == len(others), words, {"known_to": len(delays), "of": len(others), "delays": delays}


def _delays(said: Iterable[list[dict[str, Any]]], began: float) -> list[float]:
    """Seconds until each first reported it, sorted; agents that never did are left out."""
    return sorted(round(records[0]["t"] - began, 4) for records in said if records)


def _count(delays: list[float], others: list[Agent]) -> str:
    return f"all {len(others)}" if len(delays) == len(others) else f"only {len(delays)} of {len(others)}"


def _times(delays: list[float]) -> str:
    if not delays:
        return ""
    seconds = delays[-1] >= 1
    first, last = (f"{delay:.1f}" if seconds else f"{delay * 1000:.0f}" for delay in (delays[0], delays[-1]))
    return f" after {last if first == last else f'{first} to {last}'} {'s' if seconds else 'ms'}"
