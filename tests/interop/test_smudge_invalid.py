"""Each odd datagram that was tried on a real node is handled robustly by the receiver it names, one by one."""

from typing import Any

import pytest

from support.smudge_data import load
from swim_core import BroadcastReceived, DropReason, Paused, State
from swim_core.address import canonical, split_host_port
from swim_core.smudge import Message, SmudgeConfig, SmudgeNode, Verb, decode, encode

CASES = load("invalid")
CLUSTER = "smudge"
UNIX_MS = 1_690_000_000_000  # the heartbeat starts at 0, as that of the real node
HEARTBEAT_KEPT = 1_000_000

ACKED = {"ipv4", "ipv6"}


class Receiver:
    """The node that a case was sent to, which knows one other."""

    def __init__(self, case: dict[str, Any]) -> None:
        stated = case["receiver"]
        self.ipv6 = ":" in stated["ip"]
        config = SmudgeConfig(
            cluster_name=CLUSTER,
            heartbeat_millis=stated["heartbeat_ms"],
            max_broadcast_bytes=stated["max_broadcast_bytes"],
        )
        address = (stated["ip"], stated["port"])
        self.node = SmudgeNode(address, config=config, now=0.0, entropy=bytes(32), unix_ms=UNIX_MS)
        for known in stated["known_before"]:
            host, port = split_host_port(known)
            self.known = canonical(host, port)
            self.node.feed_datagram(encode(Message(Verb.PING, port, 5), ipv6=self.ipv6), (host, 40_000), now=0.0)
        self.drain()
        while self.node.poll_event():
            pass
        self.before = self.state()

    def drain(self) -> list[tuple[Message, Any]]:
        sent = []
        while (datagram := self.node.poll_datagram()) is not None:
            sent.append((decode(datagram.payload, ipv6=self.ipv6), datagram.destination))
        return sent

    def state(self) -> tuple[Any, ...]:
        return self.node.members(gone=True), self.node.statistics().retained_broadcasts

    def feed(self, case: dict[str, Any]) -> None:
        data = bytes.fromhex(case["hex"])
        to_group = case["dst"].endswith(":9998")
        feed = self.node.feed_announcement if to_group else self.node.feed_datagram
        feed(data, (case["src_ip"], 41_000), now=1.0)

    @property
    def dropped(self) -> dict[DropReason, int]:
        return dict(self.node.statistics().dropped)


def sender_of(case: dict[str, Any]) -> Any:
    """The sender, according to its own header."""
    data = bytes.fromhex(case["hex"])
    start = 1 + data[0] if case["dst"].endswith(":9998") else 0
    return canonical(case["src_ip"], int.from_bytes(data[start + 5 : start + 7], "little"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_case(case: dict[str, Any]) -> None:
    receiver = Receiver(case)
    receiver.feed(case)
    sent = receiver.drain()
    events = []
    while (event := receiver.node.poll_event()) is not None:
        if not isinstance(event, Paused):  # the second that passes at once
            events.append(event)
    action, detail = case["robust"]["action"], case["robust"]["detail"]
    if action in ("drop", "ignore"):
        assert (receiver.state(), sent, events) == (receiver.before, [], [])
        assert sum(receiver.dropped.values()) == 1
    else:
        accepted(case, detail, receiver, sent, events)
    still_works(receiver)


def accepted(case: dict[str, Any], detail: str, receiver: Receiver, sent: list[Any], events: list[Any]) -> None:
    """The datagram is accepted, except for what is to be ignored."""
    sender = sender_of(case)
    held = receiver.node.member(str(sender))
    assert held is not None
    assert held.state is State.ALIVE
    acks = [message for message, to in sent if message.verb is Verb.ACK and to == sender]
    if case["context"] in ACKED:
        message = decode(bytes.fromhex(case["hex"]), ipv6=receiver.ipv6)
        pinged = message.verb in (Verb.PING, Verb.NFPING)
        forwarded_to_itself = "answer ACK itself" in detail
        assert bool(acks) is (pinged or forwarded_to_itself)
        assert not pinged or acks[0].code == message.code
    else:
        assert not acks
    others = {member.address for member in receiver.node.members(gone=True)}
    if "ignore the record" in detail or "not add" in detail:
        assert others == {receiver.node.local.address, sender, receiver.known}
    if "do not forward" in detail:
        assert not [message for message, _ in sent if message.verb is Verb.NFPING]
    broadcasts = [event for event in events if isinstance(event, BroadcastReceived)]
    assert bool(broadcasts) is (case["description"] == "broadcast index 0")
    if "stay ALIVE" in detail:
        assert receiver.node.local.state is State.ALIVE
    if "do not adopt" in detail or "stay ALIVE" in detail:
        receiver.node.feed_tick(now=1.5)
        codes = [message.code for message, _ in [*sent, *receiver.drain()] if message.verb is Verb.PING]
        assert codes
        assert max(codes) < HEARTBEAT_KEPT
        pinged_at_once = [m.code for m, to in sent if m.verb is Verb.PING and to == sender]
        assert "stay ALIVE" not in detail or pinged_at_once[0] >= 51


def still_works(receiver: Receiver) -> None:
    """A ping is still answered."""
    ping = Message(Verb.PING, receiver.known.port, 77)
    receiver.node.feed_datagram(encode(ping, ipv6=receiver.ipv6), receiver.known, now=2.0)
    sent = receiver.drain()
    assert (Verb.ACK, 77, receiver.known) in [(message.verb, message.code, to) for message, to in sent]


def test_there_are_all_of_them() -> None:
    assert len(CASES) == 120
    assert {case["robust"]["action"] for case in CASES} == {"accept", "drop", "ignore"}
