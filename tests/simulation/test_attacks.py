"""What outsiders can do: each attack that once did harm, with what it does now, to a plain cluster and to a sealed one.

The outsider knows all but the key: names, runs, addresses, times. Against a plain cluster it forges addresses, or joins
first; what still works there is what docs/security.md says of holders of a key, since without one anybody is. Against
a sealed cluster nothing comes of any of it: members say and tell exactly what they do when nobody attacks.

Attacks by somebody who is a member stand elsewhere: inventing others in test_ghosts.py; foreseeing nonces in
unit/contract/test_unguessable.py; clocks and last epochs in unit/native/claims/test_far_clocks.py; last numbers in
unit/native/broadcasts/test_user_broadcasts.py; costly requests in unit/native/dissemination/test_sync.py and
unit/contract/test_limits.py; floods of connections in sockets/threads/test_tripwires.py, and what is played back in
test_sealed.py.
"""

from collections.abc import Callable
from functools import partial

import pytest

from support.datagrams import opened
from support.forger import OWN, Forger, Sent
from support.outsider import KEY, OTHER_KEY
from swim_core import (
    Address,
    BroadcastReceived,
    BroadcastsLost,
    Event,
    Keys,
    MemberDied,
    MemberJoined,
    MemberRecovered,
    MessageReceived,
    NameConflict,
    NameRegained,
    Rule,
    State,
    Unsealed,
)
from swim_core.address import pack
from swim_core.native.cluster_clock import ClusterClock
from swim_core.native.sealing.ring import KeyRing
from swim_core.native.sealing.seal import Sealer
from swim_core.native.wire.claim import Claim, Verdict
from swim_core.native.wire.datagram import Codec
from swim_core.native.wire.hashing import Hashes
from swim_core.native.wire.messages import Broadcast, JoinAck, Ping, PingReq, SyncReq, UserMessage
from swim_core.simulation import Link, Simulation

VICTIM, NOWHERE = Address("203.0.113.9", 53), Address("10.99.99.99", 7_946)
ACCUSER, SUBJECT, TARGET = 1, 2, 3  # of the members
Attack = Callable[[Forger], None]
Life = tuple[list[Sent], list[tuple[str, float, Event]]]


def formed(members: int = 16) -> Simulation:
    simulation = Simulation("attacks", tripwires=True)
    simulation.start_formed(members)
    simulation.run_for(5.0)
    return simulation


# ------------------------------------------------------------------ the attacks


def invent(forger: Forger) -> None:
    """Tell of 200 that don't exist, in a member's name."""
    epoch = forger.members[ACCUSER].node.local.epoch
    for start in range(0, 200, 20):
        claims = [
            Claim(f"ghost-{n}", epoch + n, pack(Address(f"10.200.0.{n + 1}", 7_946)), 0, State.ALIVE, b"")
            for n in range(start, start + 20)
        ]
        forger.say(forger.members[ACCUSER], forger.members[TARGET], claims=claims)


def reflect(forger: Forger) -> None:
    """Join, without forging anything, and tell of 20 at a third party."""
    run, epoch = forger.join("mallory", forger.members[0])
    claims = [
        Claim(f"ghost-{n}", epoch + n, pack(VICTIM._replace(port=1_000 + n)), 0, State.ALIVE, b"") for n in range(20)
    ]
    forger.say(run, forger.members[0], claims=claims)


def lock_a_name(forger: Forger) -> None:
    """Three joins from one host push every clock; then the last epoch of a name is claimed."""
    runs = [forger.join(f"mallory-{n}", forger.members[0], port=5_000 + n)[0] for n in range(3)]
    forger.simulation.run_for(1.0)
    for process in forger.members:
        for n, run in enumerate(runs):
            forger.say(run, process, Ping(1, 9, 2**48 - 10**7), source=Address(OWN.host, 5_000 + n))
    claim = forger.claim(forger.members[SUBJECT], epoch=2**64 - 1, incarnation=2**32 - 1, address=pack(NOWHERE))
    for process in forger.members[TARGET:6]:
        forger.say(forger.members[ACCUSER], process, claims=[claim])


def take_a_name(forger: Forger) -> None:
    """Claim a newer run of a member, where nobody is: 50 bytes."""
    subject = forger.members[SUBJECT]
    claim = forger.claim(subject, epoch=subject.node.local.epoch + (60_000 << 16), incarnation=0, address=pack(NOWHERE))
    forger.say(forger.members[ACCUSER], forger.members[TARGET], claims=[claim])


def join_by_a_members_name(forger: Forger) -> None:
    forger.join(forger.members[SUBJECT].name, forger.members[0])


def declare_dead(forger: Forger, *, times: int = 1) -> None:
    """Forge verdicts about a member, 50 a second, with the accuser's name and the right time."""
    for n in range(times):
        target = forger.members[TARGET + n % 12]
        verdict = Verdict(forger.short_id(forger.members[ACCUSER]), Rule.SILENT, forger.time_of(target))
        dead = forger.claim(forger.members[SUBJECT], State.DEAD, verdict)
        forger.say(forger.members[ACCUSER], target, claims=[dead])
        forger.simulation.run_for(0.02)


def broadcast(forger: Forger, *, number: int = 1) -> None:
    """Broadcast in the name of a member that didn't send the datagram."""
    local = forger.members[SUBJECT].node.local
    news = Broadcast(local.name, local.epoch, number, b"forged")
    forger.say(forger.members[ACCUSER], forger.members[TARGET], broadcasts=[news])


def ask_for_much(forger: Forger) -> None:
    for n in range(200):
        forger.say(7, forger.members[TARGET], SyncReq(n, [n] * 128, 0, bytes(20)))


def ask_in_others_names(forger: Forger) -> None:
    """First JOINs told anybody a member's epoch and address."""
    for process in forger.members[:8]:
        forger.ask(process.name, forger.members[0])


def speak_for_another(forger: Forger) -> None:
    """A message, a time an hour ahead, and a hundred requests to watch somebody."""
    accuser, target = forger.members[ACCUSER], forger.members[TARGET]
    forger.say(accuser, target, UserMessage(b"forged"))
    forger.say(accuser, target, Ping(1, forger.short_id(target), forger.time_of(target) + 3_600_000))
    for n in range(100):
        forger.say(accuser, target, PingReq(n, forger.claim(forger.members[4 + n % 12])))


ATTACKS: dict[str, Attack] = {
    "invented members": invent,
    "a third party is asked": reflect,
    "a name is locked": lock_a_name,
    "a name is taken": take_a_name,
    "a name is taken by a join": join_by_a_members_name,
    "a death": declare_dead,
    "deaths on and on": partial(declare_dead, times=100),
    "a broadcast": broadcast,
    "the last number": partial(broadcast, number=2**32 - 1),
    "costly requests": ask_for_much,
    "epochs are asked for": ask_in_others_names,
    "a message, a time, requests": speak_for_another,
}


# ------------------------------------------------------------------ on a sealed cluster


def lived(attack: Attack | None, *, seal: bool = False, keys: Keys | None = KEY) -> tuple[Life, Forger]:
    """What a cluster sent, and its events, in 20 s on links that the attacker's datagrams don't slow down."""
    simulation = Simulation("sealed", tripwires=True, keys=keys, link=Link.exact(0.0005))
    simulation.start_formed(16)
    simulation.run_for(5.0)
    codec = None
    if seal:
        ring, unix_ms = KeyRing(OTHER_KEY, ""), simulation.processes["node-0"].node.statistics().cluster_time
        codec = Codec(Hashes("", 4).label, Sealer(ring, ClusterClock(unix_ms, 0.0), counter=1, most_runs=8))
    forger = Forger(simulation, codec)
    end = simulation.now + 20.0
    simulation.after(4.0, lambda: simulation.broadcast("node-5", b"true"))
    if attack is not None:
        attack(forger)
    simulation.run_for(end - simulation.now)
    told: list[tuple[str, float, Event]] = [
        (process.name, time, event)
        for process in forger.members
        for time, event in process.events
        if not isinstance(event, Unsealed)
    ]
    return (forger.sent, told), forger


@pytest.fixture(scope="module")
def unharmed() -> Life:
    (sent, told), _ = lived(None)
    assert len(sent) > 300
    assert sum(isinstance(event, BroadcastReceived) for _, _, event in told) == 15
    return sent, told


@pytest.mark.parametrize("seal", [False, True], ids=["plain", "another key"])
@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_without_a_key_nothing_comes_of_it(attack: Attack, seal: bool, unharmed: Life) -> None:
    """No datagram more, no delay, nothing to the attacker or to members that it named, and no event but one notice."""
    life, forger = lived(attack, seal=seal)
    assert forger.bytes_said >= 46
    assert life == unharmed
    assert forger.heard == []


def test_without_keys_all_but_one_of_these_make_a_difference() -> None:
    quiet, _ = lived(None, keys=None)
    harmless = [name for name, attack in ATTACKS.items() if lived(attack, keys=None)[0] == quiet]
    assert harmless == ["the last number"]  # others' word for it isn't believed


# ------------------------------------------------------------------ on a plain cluster


def attacked(attack: Attack, seconds: float = 20.0, members: int = 16) -> Forger:
    simulation = formed(members)
    forger = Forger(simulation)
    attack(forger)
    simulation.run_for(seconds)
    return forger


def test_a_third_party_is_sent_less_than_a_datagram_a_second() -> None:
    """20 invented members there, by one that joined properly: 525 bytes now, 412 kB before."""
    forger = attacked(reflect, 60.0)
    assert len(forger.told(MemberJoined, "mallory")) >= 1
    assert 0 < forger.bytes_to()[VICTIM.host] <= 1_000 < forger.bytes_said
    assert len(forger.told(MemberJoined)) == len(forger.told(MemberJoined, "mallory"))


def test_a_locked_name_is_none() -> None:
    """All clocks went on by 8,882 years, and then nobody could claim a higher epoch than the last."""
    forger = attacked(lock_a_name, 30.0)
    subject = forger.members[SUBJECT]
    assert all(abs(forger.time_of(process) - forger.time_of(subject)) < 1_000 for process in forger.members)
    assert not subject.node.statistics().superseded
    assert {process.node.member(subject.name).state for process in forger.members} == {State.ALIVE}  # type: ignore[union-attr]
    again = forger.simulation.restart(subject)
    forger.simulation.run_for(5.0)
    assert not again.node.statistics().superseded
    assert all(process.node.member(again.name) == again.node.local for process in forger.simulation.running())


def test_a_name_that_is_taken_by_one_datagram_is_regained_within_a_minute() -> None:
    """This was once possible: anybody believed to be a member can say that another one began a new run elsewhere."""
    forger = attacked(take_a_name, 75.0)
    (conflict,) = [time for time, event in forger.members[SUBJECT].events if isinstance(event, NameConflict)]
    (regained,) = [time for time, event in forger.members[SUBJECT].events if isinstance(event, NameRegained)]
    assert conflict > forger.began + 10.0  # the run that is said to be there might be its own past: twice S
    assert regained < forger.began + 62.0
    assert forger.simulation.agreed()
    assert forger.bytes_to()[NOWHERE.host] <= 20_000


def test_who_joins_by_a_members_name_has_it_only_as_long_as_it_lives() -> None:
    forger = attacked(join_by_a_members_name, 75.0)
    assert len(forger.told(NameConflict)) == len(forger.told(NameRegained)) == 1
    assert forger.simulation.agreed()


def test_a_forged_death_is_told_to_no_application() -> None:
    """One was, at all 15 others; 50 a second for 10 s were 1,584 events."""
    for times, most in ((1, 300), (500, 35_000)):
        forger = attacked(partial(declare_dead, times=times), 2.0)
        assert forger.told(MemberDied) == forger.told(MemberRecovered) == []
        assert forger.simulation.agreed()
        assert len(forger.sent) <= most  # each claim is put to the member that it names


def test_a_forged_broadcast_is_told_but_the_last_number_silences_nobody() -> None:
    forger = attacked(broadcast, 2.0)
    assert len(forger.told(BroadcastReceived)) == 15  # whoever is believed as a member speaks for others
    forger = attacked(partial(broadcast, number=2**32 - 1), 2.0)
    forger.simulation.broadcast(forger.members[SUBJECT], b"true")
    forger.simulation.run_for(5.0)
    assert [event.payload for event in forger.told(BroadcastReceived)] == [b"true"] * 15
    assert forger.told(BroadcastsLost) == []


def test_a_recording_of_one_that_left_and_was_forgotten_brings_nobody_back() -> None:
    """It joined everywhere else, and died everywhere: the one datagram is first put to the member that it names."""
    simulation = formed(8)
    forger = Forger(simulation)
    leaver = forger.members[7]
    claim = forger.claim(leaver)
    simulation.leave(leaver)
    simulation.run_for(700.0)
    assert all(process.node.member(leaver.name) is None for process in simulation.running())
    forger = Forger(simulation)
    forger.say(forger.members[ACCUSER], forger.members[TARGET], claims=[claim])
    simulation.run_for(60.0)
    assert forger.told(MemberJoined) == forger.told(MemberDied) == []


def test_a_first_join_in_a_members_name_tells_neither_its_epoch_nor_its_address() -> None:
    forger = Forger(formed())
    forger.join("somebody", forger.members[0])
    for process in forger.members[:8]:
        forger.ask(process.name, forger.members[0])
    answers = [opened(payload).message for payload in forger.heard]
    cookies = [answer for answer in answers if isinstance(answer, JoinAck) and answer.cookie]
    assert len(cookies) >= 8
    assert [answer.held for answer in cookies] == [None] * len(cookies)
    assert {answer.own for answer in cookies} == {None}


def test_requests_in_anothers_name_are_answered_with_less_than_they_took() -> None:
    """A hundred, 4.9 kB, caused 566 datagrams, 19.5 kB, more than half of it to one that didn't ask."""
    simulation = formed()
    quiet = Forger(simulation)
    simulation.run_for(20.0)
    forger = attacked(speak_for_another)
    assert [event.payload for event in forger.told(MessageReceived)] == [b"forged"]
    assert len(forger.sent) - len(quiet.sent) <= 200
    assert sum(forger.bytes_to().values()) - sum(quiet.bytes_to().values()) <= forger.bytes_said


def test_costly_requests_are_answered_twenty_times_a_second_with_no_more_than_they_took() -> None:
    forger = attacked(ask_for_much, 1.0)
    asked = 165 * 200
    assert 0 < forger.bytes_to()[OWN.host] <= min(20 * 165, asked)
