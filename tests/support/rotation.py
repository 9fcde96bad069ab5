"""An operator who changes the keys of a simulated cluster amid harm, and somebody who plays back what was said."""

from collections.abc import Sequence
from random import Random

from support.outsider import Outsider
from swim_core import Key, Keys
from swim_core.simulation import Harm, Process, Simulation

__all__ = ["Playback", "Rotation"]

MOST = 8  # keys in a ring, so that one who listens can hold all


class Rotation:
    """Puts the next key first in one host's file after the other, then takes the last one out, and so on.

    A host that is down gets its file last, so its process may come back with the old one. Newcomers come with any file
    that suits the pass.

    Args:
        simulation: not formed yet. Its wiretaps must have been made with `all_keys`.
        random: the source of order and pace.

    Attributes:
        done: how many keys were replaced everywhere.
    """

    def __init__(self, simulation: Simulation, random: Random) -> None:
        self.done = 0
        self._simulation = simulation
        self._random = random
        self._dropping = False
        self._choose_newcomers()

    @staticmethod
    def all_keys() -> Keys:
        """Those that are used one after the other."""
        return Keys(Rotation._key(number) for number in range(MOST))

    @staticmethod
    def _key(number: int) -> Key:
        return Key(bytes(range(number, number + 32)))

    def _ring(self, *numbers: int) -> Keys:
        return Keys(self._key(self.done + number) for number in numbers)

    @property
    def wanted(self) -> Keys:
        """What this pass puts into the files."""
        return self._ring(1) if self._dropping else self._ring(1, 0)

    def act(self, harm: Harm) -> None:
        """Change the files of up to four hosts; see `Act`."""
        self.step(self._random.randint(1, 4))

    def step(self, hosts: int) -> None:
        """Change the files of this many hosts, or begin the next pass if all have theirs."""
        if self.done == MOST - 2:
            return
        waiting = [p for p in self._simulation.processes.values() if p.keys != self.wanted]
        ready = [p for p in waiting if p.running and not p.paused] or [p for p in waiting if not p.running]
        for process in self._random.sample(ready, min(hosts, len(ready))):
            self.write(process)
        if not waiting:
            self.done += self._dropping
            self._dropping = not self._dropping
        self._choose_newcomers()

    def write(self, process: Process) -> None:
        """Put the file of this pass on a process's host."""
        if process.running:
            self._simulation.set_keys(process, self.wanted)
        else:
            process.keys = self.wanted

    def finish(self) -> None:
        """End the rotation that was begun."""
        done = self.done
        while self.done == done and self.done < MOST - 2:
            self.step(MOST)
            self._simulation.run_for(0.2)

    def _choose_newcomers(self) -> None:
        suit: Sequence[tuple[int, ...]] = ((1, 0), (1,)) if self._dropping else ((0,), (1, 0), (0, 1))
        self._simulation.keys = self._ring(*self._random.choice(suit))


class Playback(Outsider):
    """Somebody on the path without a key, who sends what was said before once more, to anybody.

    Wiretaps don't hear it: what they take for said must count, and copies must not.
    """

    def __init__(self, simulation: Simulation, random: Random) -> None:
        super().__init__(simulation)
        self._random = random
        self.sent = 0

    def act(self, harm: Harm) -> None:
        """Play back twenty datagrams at once, of any age, every fourth one to another member; see `Act`."""
        awake = {process.address: process for process in harm.awake()}
        for source, destination, payload in self._random.sample(self.recorded, min(20, len(self.recorded))):
            to = awake.get(destination)
            if to is None or self._random.random() < 0.25:
                to = self._random.choice(list(awake.values()))
            to.do(lambda node, now, data=payload, source=source: node.feed_datagram(data, source, now=now))  # type: ignore[misc]
            self.sent += 1
