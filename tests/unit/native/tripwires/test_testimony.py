"""When a process ends, all of its predecessors on the rings see their tripwires break. One of them judges."""

import pytest

from support.accuser import Accuser
from support.hand import RTT, Peer
from swim_core import DropReason, KernelEvidence, MemberDied, State
from swim_core.native.wire.messages import KernelVerdict, Ping, PingReq, Vote, VoteKind
from swim_core.simulation import Simulation

REFUSED_UDP, REFUSED_TCP = KernelEvidence.REFUSED_UDP, KernelEvidence.REFUSED_TCP
REACHABLE = KernelEvidence.REACHABLE
TURN = 0.025  # seconds that each waits for the one before it


def witness(rank: int, others: int = 16) -> Accuser:
    """A node of that rank among those with a tripwire to the subject."""
    hand = Accuser(others, votes=False)
    hand.take_turn(rank)
    hand.greet(hand.subject)
    hand.clear()
    return hand


def refuse(hand: Accuser) -> None:
    """The kernel there refuses the latest ping, and a connection."""
    ping = next(sent for sent in reversed(hand.to(hand.subject)) if isinstance(sent.message, Ping))
    hand.evidence(REFUSED_UDP, hand.subject.address, ping.payload)
    hand.evidence(REFUSED_TCP, hand.subject.address)


def end(hand: Accuser) -> None:
    """The subject ends, as this node sees it."""
    hand.lose(hand.subject)
    refuse(hand)


def by_name(hand: Accuser, name: str) -> Peer:
    return next(member for member in hand.members if member.name == name)


def says_gone(hand: Accuser, voter: Peer) -> None:
    """That member's vote arrives, unasked or not."""
    subject = hand.subject
    vote = Vote(subject.short_id, subject.incarnation, 0, VoteKind.SILENT, 0, KernelVerdict.REFUSED, 0)
    hand.feed(voter, vote)


def votes(hand: Accuser) -> set[str]:
    """The names of those to whom this node voted that the process is gone."""
    members = {member.address: member.name for member in hand.members}
    gone = (
        sent for sent in hand.sent if isinstance(sent.message, Vote) and sent.message.kernel is KernelVerdict.REFUSED
    )
    return {members[sent.to] for sent in gone}


def test_the_first_one_asks_nobody_and_judges_by_the_first_unasked_vote() -> None:
    hand = witness(0)
    end(hand)
    assert hand.messages(PingReq) == []
    assert hand.verdict() is State.ALIVE
    says_gone(hand, by_name(hand, hand.witnesses[2]))
    assert hand.verdict() is State.DEAD


def test_if_no_vote_comes_it_soon_asks_for_them() -> None:
    hand = witness(0)
    end(hand)
    hand.run(0.011)
    assert [len(hand.messages(PingReq, helper)) for helper in hand.helpers[:4]] == [1, 1, 1, 0]


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_the_others_vote_to_it_and_accuse_in_their_turn(rank: int) -> None:
    hand = witness(rank)
    end(hand)
    assert votes(hand) == {hand.witnesses[0]}
    assert hand.messages(PingReq) == []
    hand.run(rank * TURN - 0.001)
    assert hand.messages(PingReq) == []
    hand.run(0.002)
    assert len(hand.messages(PingReq)) == 3
    says_gone(hand, hand.helpers[0])
    assert hand.verdict() is State.DEAD


def test_they_do_nothing_more_once_they_hear_the_verdict() -> None:
    hand = witness(1)
    end(hand)
    hand.clear()
    hand.feed(by_name(hand, hand.witnesses[0]), claims=[hand.subject.claim(State.DEAD, time=hand.cluster_time)])
    assert len(hand.happened(MemberDied)) == 1
    hand.run(0.5)
    assert not hand.messages(PingReq)
    assert not hand.messages(Ping, hand.subject)


def test_a_vote_that_comes_before_the_first_one_has_noticed_makes_it_look() -> None:
    hand = witness(0)
    says_gone(hand, by_name(hand, hand.witnesses[1]))
    assert len(hand.messages(Ping, hand.subject)) == 1
    assert hand.connects() == [hand.subject.address]
    assert hand.messages(PingReq) == []
    refuse(hand)
    assert hand.verdict() is State.DEAD


@pytest.mark.parametrize("told", [(), (REACHABLE,), (REFUSED_TCP,), (REFUSED_UDP,)])
def test_who_asked_too_early_asks_again_at_once_when_another_is_refused(told: tuple[KernelEvidence, ...]) -> None:
    """The first tripwire may break before the kernel has closed the listener and the socket for datagrams."""
    hand = witness(0)
    hand.lose(hand.subject)
    for kind in told:
        (ping,) = hand.to(hand.subject)
        hand.evidence(kind, hand.subject.address, ping.payload if kind is REFUSED_UDP else b"")
    hand.run(2 * RTT)
    hand.clear()
    hand.connects()
    says_gone(hand, by_name(hand, hand.witnesses[1]))
    assert len(hand.messages(Ping, hand.subject)) == 1
    assert hand.connects() == ([] if REFUSED_TCP in told else [hand.subject.address])
    says_gone(hand, by_name(hand, hand.witnesses[2]))
    assert len(hand.messages(Ping, hand.subject)) == 1  # its answer may be on its way
    refuse(hand)
    assert hand.verdict() is State.DEAD


def test_who_asked_just_now_asks_again_after_the_usual_time() -> None:
    hand = witness(0)
    hand.lose(hand.subject)
    says_gone(hand, by_name(hand, hand.witnesses[1]))
    hand.connects()
    assert len(hand.messages(Ping, hand.subject)) == 1
    hand.run(0.009)
    assert len(hand.messages(Ping, hand.subject)) == 1
    hand.run(0.002)
    assert len(hand.messages(Ping, hand.subject)) == 2
    assert hand.connects() == [hand.subject.address]


def test_votes_cause_no_more_pings_than_are_allowed() -> None:
    hand = witness(0)
    hand.lose(hand.subject)
    for _ in range(200):
        hand.run(2 * RTT)
        says_gone(hand, by_name(hand, hand.witnesses[1]))
    assert 15 <= len(hand.messages(Ping, hand.subject)) <= 15 + 45 * 200 * 2 * RTT + 7


def test_such_a_vote_alone_kills_nobody() -> None:
    hand = witness(0)
    hand.answering.append(hand.subject)
    for witness_ in hand.witnesses[1:]:
        says_gone(hand, by_name(hand, witness_))
    hand.run(10 * RTT)
    assert hand.verdict() is State.ALIVE
    assert hand.node.statistics().watches == 0
    assert len(hand.messages(Ping, hand.subject)) == 1


def test_an_unasked_vote_of_a_member_without_such_a_tripwire_is_ignored() -> None:
    hand = witness(0)
    stranger = next(member for member in hand.helpers if member.name not in hand.witnesses)
    says_gone(hand, stranger)
    assert hand.messages(Ping, hand.subject) == []
    end(hand)
    for member in hand.helpers:
        if member.name not in hand.witnesses and member not in hand.helpers[:3]:
            says_gone(hand, member)
    assert hand.verdict() is State.ALIVE


def test_a_stranger_can_make_nobody_look() -> None:
    hand = witness(0)
    says_gone(hand, Peer("nobody", hand.subject.address, 7))
    assert hand.messages(Ping, hand.subject) == []
    assert hand.dropped(DropReason.STRANGER) > 0


def test_where_packets_may_be_getting_lost_each_asks_at_once() -> None:
    hand = witness(1)
    lost = by_name(hand, hand.witnesses[2])
    hand.answering.remove(lost)
    hand.until(lambda: hand.node.statistics().probes_failed > 0, limit=60.0)
    hand.answering.append(lost)
    hand.run(2.0)
    hand.clear()
    end(hand)
    assert len(hand.messages(PingReq)) >= 3


@pytest.mark.parametrize("trouble", ["stopped", "killed as well"])
def test_a_kill_is_known_soon_though_the_first_one_cannot_judge(trouble: str) -> None:
    for seed in range(4):
        with Simulation(seed, tripwires=True) as simulation:
            simulation.start_formed(16)
            simulation.run_for(5.0)
            table = simulation.process("node-0").node
            victim = "node-9"
            first = next(name for name in witnesses_of(simulation, victim))
            if trouble == "stopped":
                simulation.pause(first, 2.0)
            else:
                simulation.crash(first)
            simulation.crash(victim)
            simulation.run_for(0.2)
            assert table.local.name not in (first, victim)
            others = [process for process in simulation.running() if process.label != first]
            assert all(process.told(MemberDied, victim) for process in others)


def witnesses_of(simulation: Simulation, victim: str) -> list[str]:
    """The members that hold tripwires to the victim, the first one first."""
    hand = Accuser(3)
    hand.members = [
        Peer(process.node.local.name, process.node.local.address, process.node.local.epoch)
        for process in simulation.running()
    ]
    hand.watch(next(member for member in hand.members if member.name == victim))
    return [name for name in hand.witnesses if name != hand.me.name]
