"""Which members `swim members` and `watch` show."""

from collections.abc import Sequence

import pytest

from support.hand import Hand, Peer, peers
from support.tool_client import told
from swim_anyio.command.records import Record
from swim_anyio.command.tools.changes import changes
from swim_anyio.command.tools.choosing import Choice, read_choice
from swim_anyio.command.tools.reading import View, read_view
from swim_anyio.command.tools.watch import Chosen
from swim_core import Address, ConfigError, State
from swim_core.native.wire.claim import pack_metadata
from swim_core.native.wire.queries import What

WEB = Peer("web-1", Address("10.0.0.11", 7946), metadata=pack_metadata({"role": "web", "zone": "a"}, 512))
CACHE = Peer("cache-1", Address("10.0.0.12", 7946), metadata=pack_metadata({"role": "cache"}, 512))
(A,) = peers(1)
GONE = Peer("p2", Address("10.0.0.13", 7946), metadata=pack_metadata({"role": "gone"}, 512))


def hand_with_all() -> Hand:
    hand = Hand(knows=[A, GONE, WEB, CACHE])
    hand.feed(A, claims=[GONE.claim(State.DEAD, time=hand.cluster_time)])
    return hand


def view(hand: Hand) -> View:
    return read_view(told(hand, What.EVERYONE))


@pytest.mark.parametrize(
    ("states", "names", "where", "chosen"),
    [
        ([], [], [], ["cache-1", "me", "p1", "p2", "web-1"]),
        ([State.DEAD], [], [], ["p2"]),
        ([State.DEAD, State.ALIVE], ["p*"], [], ["p1", "p2"]),
        ([], ["web-?", "cache-*"], [], ["cache-1", "web-1"]),
        ([], ["WEB-*"], [], []),
        ([], [], ["role=web"], ["web-1"]),
        ([State.DEAD], [], ["role=gone"], ["p2"]),
        ([], [], ["role=*"], ["cache-1", "p2", "web-1"]),
        ([], [], ["role=*", "zone=a"], ["web-1"]),
        ([], [], ["zone="], []),
    ],
)
def test_chosen_are_those_that_fit(states: list[State], names: list[str], where: list[str], chosen: list[str]) -> None:
    assert list(read_choice(states, names, where).of(view(hand_with_all())).members) == chosen


def test_names_are_in_the_order_in_which_people_count() -> None:
    names = ("node-10", "node-2", "7", "a2b10", "a2b9", "node")
    hand = Hand("node-9", knows=[Peer(name, Address("10.0.1.1", port)) for port, name in enumerate(names, 1)])
    assert list(view(hand).members) == ["7", "a2b9", "a2b10", "node", "node-2", "node-9", "node-10"]


@pytest.mark.parametrize("text", ["role", "=web", ""])
def test_metadata_is_written_with_its_key(text: str) -> None:
    with pytest.raises(ConfigError, match="is not KEY=VALUE"):
        read_choice([], [], [text])


@pytest.mark.parametrize(("states", "gone"), [([], False), ([State.SUSPECT], False), ([State.LEFT], True)])
def test_whoever_wants_the_gone_need_not_say_so_twice(states: list[State], gone: bool) -> None:
    assert read_choice(states, [], []).gone is gone


class _Shown:
    def __init__(self) -> None:
        self.members: list[list[str]] = []
        self.events: list[str] = []

    async def show(self, view: View | None, events: Sequence[Record], trouble: str = "") -> None:
        self.members.append([] if view is None else list(view.members))
        self.events += [f"{event['event']} {event.get('member')}" for event in events]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("choice", "events"),
    [
        (read_choice([], [], ["role=web"]), ["dead web-1"]),
        (read_choice([State.DEAD], [], []), ["dead web-1", "dead cache-1"]),
        (read_choice([], ["me"], []), []),
    ],
)
async def test_events_of_those_that_fit_before_or_after(choice: Choice, events: list[str]) -> None:
    hand, shown = hand_with_all(), _Shown()
    chosen, before = Chosen(choice, shown), view(hand)
    await chosen.show(before, [])
    for peer in (WEB, CACHE):
        hand.feed(A, claims=[peer.claim(State.DEAD, time=hand.cluster_time)])
    after = view(hand)
    await chosen.show(after, changes(before, after))
    assert sorted(shown.events) == sorted(events)
