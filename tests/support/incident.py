"""A source of pages with an invented incident: 200 members, some dead, and, as seen from two, a partition."""

import zlib
from collections.abc import AsyncIterator
from functools import cache
from typing import Any

import anyio

from swim_anyio.asgi.source import Record, UnknownName

__all__ = ["Incident"]

NOON = 1_795_953_600.0  # seconds since 1970
COUNT = 200
DEAD = {"web-17": "gone", "db-3": "host_gone"}
SUSPECT = "cache-9"


class Incident:
    """What the pages show.

    Args:
        sides: of the partition, 1 for none, 2 for that between zones a and b as both sides see it.
        t: the time of the answers.
        count: of members.
    """

    def __init__(self, sides: int = 1, *, t: float = NOON, count: int = COUNT) -> None:
        self.t = t
        self.count = count
        self._sides = sides
        self._tellers = [self._asked_at(side) for side in range(sides)]

    async def members(self) -> Record:
        views = [self._view(side) for side in range(self._sides)]
        return views[0] if self._sides == 1 else {"t": self.t, "event": "views", "views": views}

    async def why(self, name: str) -> Record:
        views = [self._why(side, name) for side in range(self._sides)]
        return views[0] if self._sides == 1 else {"t": self.t, "event": "views", "views": views}

    async def info(self) -> Record:
        return {"t": self.t, "event": "info", "asked": self._asked(0), "statistics": {}}

    async def rings(self) -> Record:
        names = [name for name in self._names() if name not in DEAD]
        rings = [
            [name for _, name in sorted((hash_of(name) * by % 101, name) for name in names)] for by in (3, 4, 5, 6)
        ]
        return {"t": self.t, "event": "rings", "asked": self._asked(0), "rings": rings}

    async def events(self, after: str) -> AsyncIterator[list[tuple[str, Record]]]:
        yield [(f"1-{number}", event) for number, event in enumerate(self._past(), 1)]
        while True:
            yield []
            await anyio.sleep(0.25)

    # ------------------------------------------------------------------ what is made up

    def _names(self) -> list[str]:
        kinds = ("web", "db", "cache", "queue")
        return [f"{kinds[number % 4]}-{number // 4 + 1}" for number in range(self.count)]

    def _zone(self, name: str) -> int:
        return hash_of(name) % 2

    def _state(self, side: int, name: str) -> tuple[str, str | None]:
        if name in DEAD:
            return "dead", DEAD[name]
        if self._sides == 2 and self._zone(name) != side:
            return "dead", "silent"
        return ("suspect", "suspicion") if name == SUSPECT else ("alive", None)

    def _asked(self, side: int) -> Record:
        return self._tellers[side]

    def _asked_at(self, side: int) -> Record:
        name = next(name for name in self._names() if self._zone(name) == side)
        states = [self._state(side, each)[0] for each in self._names()]
        live = sum(state != "dead" for state in states)
        return {
            "name": name,
            "address": address_of(name),
            "standing": "fine",
            "live": live,
            "gone": len(states) - live,
        }

    def _row(self, side: int, name: str) -> Record:
        state, rule = self._state(side, name)
        number = hash_of(name)
        row: Record = {
            "name": name,
            "address": address_of(name),
            "state": state,
            "epoch": 7,
            "incarnation": number % 3,
            "metadata": {} if state == "dead" else {"role": name.partition("-")[0], "zone": "ab"[self._zone(name)]},
            "age": 86_400.0 + number if rule is None else 190.0 - number % 9,
            "heard": 190.0 if state == "dead" else number % 7 / 2,
            "round_trip": (number % 90 + 20) / 1e5,
            "unanswered": 3 if state == "suspect" else 0,
        }
        return row if rule is None else row | {"rule": rule, "accuser": self._asked(side)["name"]}

    def _view(self, side: int) -> Record:
        rows = [self._row(side, name) for name in self._names()]
        return {"t": self.t, "event": "members", "asked": self._asked(side), "members": rows}

    def _why(self, side: int, name: str) -> Record:
        if name not in self._names():
            raise UnknownName(f"{self._asked(side)['name']} knows no member named {name!r}")
        told: Record = {"t": self.t, "event": "why", "asked": self._asked(side), "member": self._row(side, name)}
        if "rule" not in told["member"]:
            return told | {"observations": []}
        at = self.t - 185.0
        seen: list[Any] = [
            (-5.2, "web-2", "probe timed out", "sent 0.50 s before, no answer", 6, -0.4),
            (-5.1, "web-2", "watch began", "", 1, None),
            (-4.9, "web-2", "asked helpers", "db-4, cache-2, queue-1", 1, None),
            (-4.2, "db-4", "vote silent", "for 4.20 s", 3, -0.2),
            (-3.9, "cache-2", "vote silent", "for 4.05 s", 2, -0.2),
            (-2.6, "web-2", "suspected", "rule suspicion: 2.5 s silent here, at db-4", 1, None),
            (-0.1, "queue-1", "vote silent", "for 5.02 s", 1, None),
            (0.0, "web-2", "declared dead", "rule silent: 5.0 s silent here, at db-4, cache-2, queue-1", 1, None),
        ]
        observations = []
        for offset, observer, what, detail, count, last in seen:
            one: Record = {"t": at + offset, "observer": observer, "what": what, "detail": detail}
            observations.append(one if last is None else one | {"count": count, "last": at + last})
        return told | {"at": at, "accuser_address": "10.0.0.2:7946", "observations": observations}

    def _past(self) -> list[Record]:
        events = [self._event("joined", name, 5_000.0 + number * 0.01) for number, name in enumerate(self._names())]
        events += [self._event("dead", name, 1_900.0, rule=rule, accuser="web-2") for name, rule in DEAD.items()]
        events.append(self._event("updated", "queue-4", 1_200.0))
        events.append(self._event("left", "cache-30", 900.0, rule="left"))
        events.append(self._event("joined", "cache-30", 890.0))
        if self._sides == 2:
            for side in (0, 1):
                mine = self._asked(side)["name"]
                for number, name in enumerate(name for name in self._names() if self._zone(name) != side):
                    suspect = self._event("suspect", name, 188 - number * 0.02, rule="suspicion", accuser=mine)
                    dead = self._event("dead", name, 185 - number * 0.02, rule="silent", accuser=mine)
                    other = [self._asked(1 - side)["name"]]
                    events += [each | {"seen_by": [mine], "missed_by": other} for each in (suspect, dead)]
        events.append(self._event("suspect", SUSPECT, 20.0, rule="suspicion", accuser="web-4"))
        return sorted(events, key=lambda event: event["t"])

    def _event(self, what: str, name: str, age: float, **more: str) -> Record:
        event = {"t": self.t - age, "event": what, "member": name, "address": address_of(name), **more}
        return event | {"seen_by": [self._asked(0)["name"]]}


@cache
def hash_of(text: str) -> int:
    """A small hash of a text, equal in every process."""
    return zlib.crc32(text.encode()) % 9_973


def address_of(name: str) -> str:
    number = hash_of(name)
    return f"10.0.{number // 250 % 250}.{number % 250 + 1}:7946"
