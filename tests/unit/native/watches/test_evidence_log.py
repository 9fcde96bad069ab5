"""What is kept of what was observed: enough to follow a verdict, within bounds."""

from support.accuser import Accuser
from support.hand import Hand, peer, peers
from swim_core import Config, Observation, Rule, State
from swim_core.shared.observations import MEMBERS, PER_MEMBER, Observations

A, B = peers(2)


def words(hand: Hand, name: str) -> list[str]:
    evidence = hand.node.explain(name)
    assert evidence is not None
    return [observation.what for observation in evidence.observations]


def test_what_repeats_is_counted_and_the_beginning_stays() -> None:
    hand = Accuser(6)
    hand.accuse()
    hand.stated = {helper.name: 0.1 for helper in hand.helpers}  # they never confirm, so it goes on
    hand.run(60.0)
    evidence = hand.node.explain("p6")
    assert evidence is not None
    assert words(hand, "p6")[:4] == ["probe timed out", "watch began", "accused", "asked helpers"]
    vote = next(o for o in evidence.observations if o.what == "vote silent")
    assert vote.count > 60
    assert vote.last is not None
    assert vote.last > hand.now - 1.0
    assert vote.at < vote.last - 50.0


def test_helpers_that_do_not_vote_are_named_and_do_not_push_out_the_beginning() -> None:
    hand = Accuser(40, votes=False)
    hand.accuse()
    hand.run(30.0)
    evidence = hand.node.explain("p40")
    assert evidence is not None
    kept = {observation.what: observation for observation in evidence.observations}
    assert words(hand, "p40")[:2] == ["probe timed out", "watch began"]
    assert kept["no vote"].count > 20
    assert hand.helpers[0].name in kept["no vote"].detail
    assert len(kept["no vote"].detail) <= 240


def test_a_new_watch_counts_anew() -> None:
    hand = Accuser(6)
    hand.accuse()
    hand.run(1.0)
    hand.feed(hand.subject)  # it lives
    hand.asked.clear()
    hand.accuse()
    hand.run(1.0)
    seen = words(hand, "p6")
    assert seen.count("watch began") == 2
    assert seen.index("answered") < len(seen) - 1 - seen[::-1].index("vote silent")
    assert seen.count("vote silent") == 6


def test_a_cluster_that_changes_its_metadata_does_not_push_out_why_one_is_dead() -> None:
    others = peers(400, 10)
    hand = Hand(knows=[A, B, *others], config=Config.lan(max_new_members_per_second=10_000))
    hand.feed(A, claims=[B.claim(State.DEAD, by=A.short_id, rule=Rule.GONE, time=hand.cluster_time)])
    for other in others:
        hand.feed(A, claims=[other.claim(incarnation=1), peer(1_000 + others.index(other)).claim()])
    assert words(hand, "p2") == ["claimed dead"]


def test_a_pause_of_this_node_is_part_of_the_story() -> None:
    hand = Accuser(6)
    hand.accuse()
    hand.run(1.0)
    hand.sleep(3.0)
    hand.run(1.0)
    assert "paused" in words(hand, "p6")


def test_this_nodes_own_verdict_is_noted_once() -> None:
    hand = Accuser(6)
    hand.accuse()
    hand.until(lambda: hand.verdict() is State.DEAD, 8.0)
    assert [word for word in words(hand, "p6") if "dead" in word] == ["declared dead"]


def test_both_bounds_hold_and_the_latest_stay() -> None:
    notes = Observations()
    for member in range(MEMBERS + 10):
        for number in range(PER_MEMBER + 5):
            notes.add(f"m{member}", Observation(float(number), "me", f"thing {number}"))
    assert notes.of("m9") == ()
    assert notes.of("m10")[0].what == "thing 5"
    assert len(notes.of(f"m{MEMBERS + 9}")) == PER_MEMBER


def test_observations_are_numbered_from_the_first_ever() -> None:
    notes = Observations()
    assert notes.since("x", 7) == (7, ())
    for number in range(PER_MEMBER + 5):
        notes.add("x", Observation(float(number), "me", f"thing {number}"))
    first, kept = notes.since("x", 0)
    assert (first, kept[0].what, len(kept)) == (5, "thing 5", PER_MEMBER)
    first, kept = notes.since("x", PER_MEMBER)
    assert (first, kept[0].what, len(kept)) == (PER_MEMBER, f"thing {PER_MEMBER}", 5)
    assert notes.since("x", PER_MEMBER + 5) == (PER_MEMBER + 5, ())
    notes.forget("x")
    assert notes.since("x", 0) == (0, ())
