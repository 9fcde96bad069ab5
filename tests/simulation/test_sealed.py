"""Clusters whose datagrams are sealed: unchanged for members, and closed to those without a key."""

from collections import Counter

import pytest

from support.inside import parts_of
from support.outsider import KEY, OTHER_KEY, Outsider, Recorded
from swim_core import (
    BroadcastReceived,
    Config,
    DropReason,
    KernelEvidence,
    MemberJoined,
    MessageReceived,
    Unsealed,
)
from swim_core.native.sealing.ring import key_id
from swim_core.native.wire.claim import Claim
from swim_core.native.wire.datagram import Codec, encode_item
from swim_core.native.wire.hashing import Hashes
from swim_core.native.wire.messages import Join, Message, Ping, SyncReq, WantClaim
from swim_core.simulation import Link, Process, Simulation

HOUR = 3_600.0
YEAR = 365.0 * 24 * HOUR


def dropped(simulation: Simulation) -> Counter[DropReason]:
    found: Counter[DropReason] = Counter()
    for process in simulation.running():
        found.update(process.node.statistics().dropped)
    return found


def live_a_little(simulation: Simulation, members: int = 6) -> None:
    """Joins, broadcasts, a message, a death, a restart, a goodbye."""
    simulation.form(members)
    for number in range(3):
        simulation.broadcast(f"node-{number}", b"once %d" % number)
        simulation.run_for(1.0)
    simulation.send("node-1", "node-2", b"to one alone")
    simulation.crash("node-4")
    simulation.run_for(2.0)
    simulation.restart("node-4")
    simulation.run_for(2.0)
    simulation.leave("node-5")
    simulation.run_for(5.0)


def test_a_sealed_cluster_does_what_a_plain_one_does() -> None:
    told = []
    for keys in (None, KEY):
        with Simulation(5, keys=keys) as simulation:
            outsider = Outsider(simulation)
            live_a_little(simulation)
            assert simulation.agreed()
            told.append(Counter(map(type, outsider.events)))
            assert all(bool(payload[1] & 1) is (keys is not None) for _, _, payload in outsider.recorded)
    assert told[0] == told[1]
    assert told[1][BroadcastReceived] == 15
    assert told[1][MessageReceived] == 1


@pytest.mark.parametrize("members", [2, 3, 4])
def test_a_sealed_cluster_that_was_parted_is_one_again_as_soon_as_a_plain_one(members: int) -> None:
    """Those held dead are told no less because seals take room: it took a second longer, or two."""
    took = []
    for keys in (None, KEY):
        with Simulation(5, keys=keys) as simulation:
            labels = [process.label for process in simulation.form(members)]
            simulation.run_for(5.0)
            simulation.partition(labels[: members // 2], labels[members // 2 :])
            simulation.run_for(30.0)
            simulation.heal()
            took.append(simulation.run_until(simulation.agreed, 10.0))
    assert took[1] == pytest.approx(took[0], abs=0.1)


def test_statistics_say_that_it_is_sealed() -> None:
    with Simulation(5, keys=KEY) as simulation:
        simulation.form(4)
        simulation.run_for(5.0)
        statistics = simulation.process("node-1").node.statistics()
        assert statistics.sealed
        assert statistics.runs_known >= 3  # and the runs of joiners before they took the cluster's time
        assert (statistics.members_plain, statistics.members_other_key) == (0, 0)
        assert statistics.key == {f"{key_id(key, ''):08x}": 1 for key in KEY}
        assert Simulation(5).add("plain").node.statistics().key == {}


def test_no_sealed_datagram_is_larger_than_a_plain_one_may_be() -> None:
    """Pages of syncs, full floods, joins and pushes."""
    config = Config.lan(max_datagram=1_000)
    with Simulation(6, keys=KEY, config=config) as simulation:
        outsider = Outsider(simulation)
        for number in range(24):
            seeds = ["node-0"] if number else []
            simulation.add(f"node-{number}", join=seeds, metadata={"what": "x" * 400})
            simulation.run_for(0.02)
        simulation.run_until(simulation.agreed, 30.0)
        for number in range(24):
            simulation.broadcast(f"node-{number}", bytes(256))
        simulation.partition([f"node-{number}" for number in range(12)])
        simulation.run_for(30.0)
        simulation.heal()
        simulation.run_for(10.0)
        sizes = sorted(len(payload) for _, _, payload in outsider.recorded)
        assert 950 < sizes[-1] <= 1_000


@pytest.mark.parametrize("pause", [0.1, 1.0, 29.0, 31.0, 600.0])
@pytest.mark.parametrize("members", [6, pytest.param(16, marks=pytest.mark.slow)])
def test_recorded_traffic_that_is_played_again_changes_nothing(members: int, pause: float) -> None:
    with Simulation(1, keys=KEY) as simulation:
        outsider = Outsider(simulation)
        live_a_little(simulation, members)
        recorded = list(outsider.recorded)
        simulation.run_for(pause)
        views = [process.node.members(gone=True) for process in simulation.running()]
        outsider.events.clear()
        before = dropped(simulation)
        outsider.send(recorded)
        simulation.run_for(2.0)
        assert outsider.events == []
        assert views == [process.node.members(gone=True) for process in simulation.running()]
        assert (dropped(simulation) - before)[DropReason.REPLAYED] > 0.6 * len(recorded)


@pytest.mark.parametrize("crowded_out", [False, True])
def test_recordings_of_members_that_were_forgotten_change_nothing(crowded_out: bool) -> None:
    """The dead and those who left are forgotten after a minute here. What is known of runs is kept longer, unless
    thousands of others come: then the age of a recording tells, and of a JOIN its cookie, good for no longer.
    """
    with Simulation(1, keys=KEY, config=Config.lan(forget_after=60.0, forget_left_after=60.0)) as simulation:
        outsider = Outsider(simulation)
        live_a_little(simulation)
        simulation.crash("node-3")
        recorded = list(outsider.recorded)
        simulation.run_for(65.0)
        live = {short_id_of(process) for process in simulation.running()}
        for process in simulation.running() if crowded_out else ():
            sealer = parts_of(process.node).context.sealer
            assert sealer is not None
            for short_id in sealer.runs.by_id.keys() - live:
                del sealer.runs.by_id[short_id]
        simulation.run_for(5.0)
        views = [process.node.members(gone=True) for process in simulation.running()]
        assert "node-3" not in [member.name for member in views[0]]
        outsider.events.clear()
        before = dropped(simulation)
        outsider.send(recorded)
        simulation.run_for(2.0)
        assert outsider.events == []
        assert views == [process.node.members(gone=True) for process in simulation.running()]
        assert sum((dropped(simulation) - before).values()) > 0.6 * len(recorded)


def test_a_join_that_was_withheld_until_its_member_was_forgotten_lets_nobody_in() -> None:
    """It was never opened, so nothing but its cookie says how old it is."""
    config = Config.lan(forget_after=60.0, forget_left_after=60.0)
    with Simulation(1, keys=KEY, config=config, link=Link.exact(0.001)) as simulation:
        outsider = Outsider(simulation)
        simulation.form(4)
        simulation.run_for(55.0)  # to the middle of a period of cookies
        late = simulation.add("late", join=["node-0"])
        simulation.run_for(0.0015)  # its first JOIN has arrived, and the answer is on its way
        simulation.cut(late, "node-0")
        simulation.run_for(0.001)
        withheld = [one for one in outsider.recorded if one[:2] == (late.address, simulation.process("node-0").address)]
        assert len(withheld) == 2
        simulation.mend(late, "node-0")
        simulation.run_until(simulation.agreed, 5.0)
        simulation.crash(late)
        simulation.run_for(65.0)
        assert all(process.node.member("late") is None for process in simulation.running())
        outsider.events.clear()
        outsider.send(withheld)
        simulation.run_for(2.0)
        assert outsider.events == []
        assert dropped(simulation)[DropReason.BAD_COOKIE] == 1


def test_what_was_sent_to_one_run_counts_at_no_other() -> None:
    """To the same process once it was restarted, and to other members."""
    with Simulation(2, keys=KEY) as simulation:
        outsider = Outsider(simulation)
        live_a_little(simulation)
        recorded = list(outsider.recorded)
        simulation.restart("node-2")
        simulation.run_for(31.0)
        outsider.events.clear()
        outsider.send(recorded)
        elsewhere = simulation.process("node-1").address
        outsider.send([(source, elsewhere, payload) for source, _, payload in recorded])
        simulation.run_for(2.0)
        assert outsider.events == []
        assert simulation.agreed()


def test_pings_played_to_another_member_draw_fifty_answers_a_second() -> None:
    """They are sealed for no particular run, so that a restarted process can say that it is another one."""
    with Simulation(2, keys=KEY) as simulation:
        pinging, pinged, target = simulation.form(3)
        simulation.run_for(5.0)
        codec, run, other = (parts_of(pinging.node).context.codec, *map(short_id_of, (pinging, pinged)))
        pings = [codec.pack(0, run, Ping(n, other, 1), peer=short_id_of(target), now=pinging.clock) for n in range(300)]
        outsider = Outsider(simulation)
        outsider.send([(pinging.address, target.address, ping) for ping in pings], per_second=3_000.0)
        assert outsider.events == []
        assert 40 <= sum(source == target.address for source, _, _ in outsider.recorded) <= 60


def test_a_newcomer_believes_no_recording() -> None:
    """In its first moments, while its seeds are cut off, the whole life of a cluster is replayed to it."""
    with Simulation(3, keys=KEY) as simulation:
        outsider = Outsider(simulation)
        live_a_little(simulation)
        recorded = list(outsider.recorded)
        for process in simulation.running():
            simulation.crash(process, refusals=False)
        fresh = simulation.add("node-9", join=["node-0"])
        outsider.events.clear()
        outsider.send([(source, fresh.address, payload) for source, _, payload in recorded])
        simulation.run_for(5.0)
        assert not any(isinstance(event, MemberJoined | BroadcastReceived) for event in outsider.events)
        assert len(fresh.node.members()) == 1
        assert fresh.node.statistics().runs_known == 0


def forged(simulation: Simulation, codec: Codec) -> list[Recorded]:
    """Datagrams that would do harm in a plain cluster, in the name of a member, and each bit of a true one changed."""
    accuser, subject, target = (simulation.process(f"node-{number}") for number in range(3))
    hashes = Hashes(simulation.config.cluster, 4)  # type: ignore[attr-defined]
    local = accuser.node.local
    run = hashes.short_id(local.name, local.epoch)
    claim = simulation_claim(subject)
    join = Join(1, "intruder", 1_000, 4, 5_000, 1_200, padding=bytes(700))
    messages: list[Message] = [Ping(1, run, 2**47), join, SyncReq(1, [0] * 8, 0, bytes(800)), WantClaim(run, 1)]
    made = [codec.pack(0, run, message) for message in messages]
    made.append(codec.pack(0, run, None, [encode_item(claim)]))
    return [(accuser.address, target.address, payload) for payload in made]


def short_id_of(process: Process) -> int:
    return parts_of(process.node).local.short_id


def simulation_claim(process: object) -> Claim:
    """That a process is alive at another address."""
    member = process.node.local  # type: ignore[attr-defined]
    return Claim(member.name, member.epoch, b"\x0a\x09\x09\x09\x1f\x0a", member.incarnation + 1, member.state, b"")


@pytest.mark.parametrize("plain", [True, False], ids=["plain", "another key"])
def test_who_has_no_key_causes_no_event_no_change_and_no_datagram(plain: bool) -> None:
    with Simulation(4, keys=KEY) as simulation:
        simulation.form(5)
        simulation.run_for(5.0)
        outsider = Outsider(simulation)
        if plain:
            codec = Codec(Hashes("", 4).label)
        else:
            stranger = simulation.add("stranger", keys=OTHER_KEY)
            codec = parts_of(stranger.node).context.codec
        before = {process.name: process.node.members(gone=True) for process in simulation.running()}
        payloads = forged(simulation, codec)
        for address, where, true in list(outsider.recorded[:1]):
            payloads += [(address, where, true[:at] + bytes((true[at] ^ 1,)) + true[at + 1 :]) for at in range(24)]
        outsider.recorded.clear()
        outsider.events.clear()
        for source, target, payload in payloads:
            simulation.network.send(source, target, payload)
        simulation.run_for(0.002)
        assert outsider.recorded == []
        simulation.run_for(3.0)
        assert outsider.events == []
        assert before == {process.name: process.node.members(gone=True) for process in simulation.running()}
        notices = simulation.process("node-2").told(Unsealed)
        assert [(notice.address, notice.reason) for notice in notices] == [
            (simulation.process("node-0").address, DropReason.NOT_SEALED if plain else DropReason.UNKNOWN_KEY)
        ]


def test_nodes_with_other_keys_or_labels_do_not_meet_and_say_why() -> None:
    with Simulation(7, keys=KEY) as simulation:
        simulation.form(3)
        intruders = [
            simulation.add("other-key", join=["node-0"], keys=OTHER_KEY),
            simulation.add("other-label", join=["node-0"], config=Config.lan(cluster="test")),
        ]
        simulation.run_for(10.0)
        assert [len(process.node.members()) for process in intruders] == [1, 1]
        notices = simulation.process("node-0").told(Unsealed)
        assert {(notice.address, notice.reason) for notice in notices} == {
            (process.address, DropReason.UNKNOWN_KEY) for process in intruders
        }


def test_a_refusal_that_quotes_a_header_alone_is_forged() -> None:
    """A sealed header hides nothing: of pings to members, and to those that others told of, more has to be quoted."""
    with Simulation(9, keys=KEY) as simulation:
        simulation.form(3)
        outsider = Outsider(simulation)
        late = simulation.add("late", join=["node-0"])
        for label in ("node-1", "node-2"):
            simulation.cut(late, label)  # they wait for an answer
        simulation.run_for(0.11)
        told = [simulation.process(f"node-{number}").address for number in (1, 2)]
        pings = [(source, to, payload[:39]) for source, to, payload in outsider.recorded if source in told]
        assert late.address in {to for _, to, _ in pings}
        processes = {process.address: process for process in simulation.running()}
        for source, to, quoted in pings:
            processes[source].do(
                lambda node, now, to=to, quoted=quoted: node.feed_evidence(  # type: ignore[misc]
                    KernelEvidence.REFUSED_UDP, to, quoted, now=now
                )
            )
        assert dropped(simulation)[DropReason.FORGED_EVIDENCE] == len(pings)
