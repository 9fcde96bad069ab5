"""When the sealed hour counts what a member says, and what it doesn't say."""

from math import inf
from pathlib import Path
from typing import cast

import pytest

from support.hosts import Host
from support.hour_member import AFTER, Member


@pytest.fixture
def member(tmp_path: Path) -> Member:
    member = Member(1, cast(Host, None), tmp_path)
    member.errors.close()
    return member


def test_a_process_that_has_not_said_that_it_runs_is_not_calm(member: Member) -> None:
    """What is broadcast while it still starts, it learns neither from others nor as lost."""
    assert not member.calm(10.0, 20.0)
    member.take({"event": "started", "member": "m1"}, 12.0)
    assert not member.calm(10.0, 20.0)
    assert member.calm(12.5, 20.0)


def test_one_in_trouble_is_calm_again_some_time_after(member: Member) -> None:
    member.take({"event": "started", "member": "m1"}, 0.0)
    member.trouble.append((30.0, 42.0))
    assert member.calm(5.0, 29.0)
    assert not member.calm(5.0, 31.0)
    assert not member.calm(42.0 + AFTER, 60.0)
    assert member.calm(42.0 + AFTER + 0.1, 60.0)


def test_it_has_seen_whom_it_said_to_be_alive(member: Member) -> None:
    for record in ({"event": "alive", "member": "m2"}, {"event": "dead", "member": "m3"}):
        member.take(record, 1.0)
    assert member.seen == {"m2"}


def test_each_of_its_runs_counts_but_not_the_time_between_them(member: Member) -> None:
    member.runs = [(0.0, 30.0), (50.0, inf)]
    assert member.calm(5.0, 29.0)
    assert not member.calm(5.0, 55.0)
    assert not member.calm(31.0, 49.0)
    assert member.calm(51.0, 60.0)


def test_memory_is_compared_within_each_run_that_lasts(member: Member) -> None:
    member.runs = [(0.0, 200.0), (210.0, 300.0), (310.0, inf)]
    member.memory = [(20.0, 1.0), (80.0, 2.0), (180.0, 3.0), (280.0, 9.0), (320.0, 4.0), (400.0, 5.0), (500.0, 6.0)]
    assert member.growth() == [(2.0, 3.0), (5.0, 6.0)]


def test_what_is_said_belongs_to_the_run_that_began_last(member: Member) -> None:
    member.runs = [(0.0, 30.0), (50.0, inf)]
    assert [member.run_at(at) for at in (1.0, 40.0, 51.0)] == [(0.0, 30.0), (0.0, 30.0), (50.0, inf)]
