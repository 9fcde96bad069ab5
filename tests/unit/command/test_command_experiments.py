"""`swim simulate` and `swim plan`: what they take, what they print, what they draw."""

import json
import re
from contextlib import suppress
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from swim_anyio.command.choices import Preset
from swim_anyio.command.entry import run
from swim_anyio.command.experiments.configs import read_config
from swim_anyio.command.experiments.plots import expected_times
from swim_anyio.command.experiments.units import read_delay, read_duration, read_share, say_duration, say_share
from swim_core import Config, ConfigError
from swim_core.simulation.study import Setting, conduct


@pytest.mark.parametrize(
    ("text", "seconds"), [("0.5", 0.5), ("500ms", 0.5), ("2s", 2.0), ("1m", 60.0), (" 3 us ", 3e-6), ("1e-3", 1e-3)]
)
def test_durations(text: str, seconds: float) -> None:
    assert read_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "ms", "1 parsec", "-1", "1..2", "nan", "five"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not a duration"):
        read_duration(text)


@pytest.mark.parametrize(
    ("text", "share"), [("1%", 0.01), ("0.01", 0.01), ("0", 0.0), ("99.9%", 0.999), ("1", 0.01), ("25", 0.25)]
)
def test_shares(text: str, share: float) -> None:
    assert read_share(text) == pytest.approx(share)


@pytest.mark.parametrize(
    ("text", "seconds"), [("40", 0.04), ("0.3", 0.0003), ("40ms", 0.04), ("0.3s", 0.3), ("1m", 60.0)]
)
def test_delays_are_of_milliseconds_where_they_say_nothing_else(text: str, seconds: float) -> None:
    assert read_delay(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "%", "100%", "100", "-1%", "nan", "inf", "much"])
def test_what_is_no_share(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not a share"):
        read_share(text)


@given(st.text(max_size=12))
def test_no_text_breaks_the_readers(text: str) -> None:
    for read in (read_delay, read_duration, read_share):
        with suppress(typer.BadParameter):
            assert read(text) >= 0


@pytest.mark.parametrize(("seconds", "said"), [(None, "–"), (0.0012, "1.2 ms"), (0.25, "0.25 s"), (12.0, "12.00 s")])
def test_durations_in_words(seconds: float | None, said: str) -> None:
    assert say_duration(seconds) == said


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.0, "none"),
        (0.01**8, "none"),
        (0.01**4, "1 in 100 million"),
        (0.05**4, "1 in 160 thousand"),
        (0.2**4, "1 in 620"),
        (0.5**4, "6 %"),
        (0.99, "99 %"),
    ],
)
def test_shares_in_words(share: float, said: str) -> None:
    assert say_share(share) == said


@given(st.floats(0.0, 1.0))
def test_every_share_has_words(share: float) -> None:
    assert "e+" not in say_share(share)


def test_settings_come_from_preset_options_and_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWIM_RINGS", "3")
    config = read_config(Preset.WAN, 1.5, None, ["helpers=2", "max_members = 99"])
    assert config == Config.wan(probe_interval=1.5, helpers=2, max_members=99, rings=3)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("nonsense=1", "fields: "),
        ("rings", "FIELD=VALUE"),
        ("rings=x", "whole"),
        ("probe_interval=0", "^--set probe_interval: "),
    ],
)
def test_settings_that_can_not_be_used(override: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_config(None, None, None, [override])


def test_a_plan_for_people_and_for_programs(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(["plan", "-n", "500", "--rtt", "300ms", "--loss", "1%"]) == 0
    text = capfdbinary.readouterr().out.decode()
    assert "500 members" in text
    assert "! round trips of 0.3 s are long" in text
    assert all(len(line) < 400 for line in text.splitlines())
    assert run(["plan", "-n", "500", "--format", "json"]) == 0
    record = json.loads(capfdbinary.readouterr().out)
    assert (record["event"], record["members"], record["warnings"]) == ("plan", 500, [])
    assert record["hung"]["median"] > 5.0


def test_bare_numbers_have_the_unit_of_the_examples(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    said = []
    for rtt, loss in (("40ms", "1%"), ("40", "1"), ("0.04s", "0.01")):
        assert run(["plan", "-n", "500", "--rtt", rtt, "--loss", loss]) == 0
        said.append(capfdbinary.readouterr().out.decode())
    assert "round trips of up to 40.0 ms, 1% lost" in said[0]
    assert said[0] == said[1] == said[2]


@pytest.mark.parametrize(
    ("options", "against", "differs"),
    [
        ([], ["stall_tolerance=10"], ["a process hangs after"]),
        (["--stall-tolerance", "10"], ["stall_tolerance=5"], ["a process hangs after"]),
        ([], ["rings=2"], ["update or broadcast reaches all after", "a process was killed after"]),
        (["--loss", "5"], ["preset=wan", "rings=4"], ["each member sends, when nothing happens"]),
        ([], ["rings=4"], []),
    ],
)
def test_a_plan_compares_two_settings(
    options: list[str], against: list[str], differs: list[str], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    command = ["plan", "-n", "500", *options, *(word for one in against for word in ("--against", one))]
    assert run(command) == 0
    _, *lines = capfdbinary.readouterr().out.decode().splitlines()
    assert all(len(line) <= 80 for line in lines)
    name = " ".join(against)
    for words in differs:
        at = next(number for number, line in enumerate(lines) if line.endswith(words))
        assert lines[at + 1].startswith("  as given ")
        assert lines[at + 2].startswith(f"  {name} ")
    if not differs:
        assert lines[:2] == ["", "Nothing differs."]
    assert [line for line in lines if line.endswith(":")] == ["as given:", f"{name}:"] * bool(differs)
    assert run([*command, "--format", "json"]) == 0
    record = json.loads(capfdbinary.readouterr().out)
    assert (record["against"].items() <= record.items()) is not bool(differs)


def test_an_experiment_for_people_and_for_programs(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    command = ["simulate", "kill", "update", "-n", "6", "--runs", "2", "--set", "tripwires=false"]
    assert run(command) == 0
    title, *lines = capfdbinary.readouterr().out.decode().splitlines()
    assert title.startswith("6 members, 0% lost, 0.3 ms one way")
    assert [line.split()[:2] for line in lines if line.startswith(("kill", "update"))] == [
        ["kill", "2"],
        ["update", "2"],
    ]
    assert "an update takes 1 hop to reach the last member" in lines
    assert max(map(len, lines)) <= 80
    assert run([*command, "--format", "json"]) == 0
    kill, update = map(json.loads, capfdbinary.readouterr().out.splitlines())
    assert (kill["experiment"], kill["runs"], kill["false_deaths"], "hops" in kill) == ("kill", 2, 0, False)
    assert (update["experiment"], update["hops"], update["missing"]) == ("update", 1, 0)


def test_the_same_seed_gives_the_same_picture(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    paths = [tmp_path / "one.svg", tmp_path / "other.svg"]
    for path in paths:
        assert run(["simulate", "kill", "-n", "5", "--runs", "1", "--plot", str(path)]) == 0
    first, second = (path.read_text() for path in paths)
    assert first == second
    assert "Until all members were told" in first  # text, to be searched and read aloud


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_a_picture(kind: str, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    path = tmp_path / f"picture.{kind}"
    assert run(["simulate", "kill", "update", "-n", "5", "--runs", "1", "--plot", str(path)]) == 0
    assert path.stat().st_size > 1_000


@pytest.mark.parametrize(
    ("experiments", "runs", "shown", "missing"),
    [
        (
            ["kill", "update"],
            3,
            ["a process is killed", "a member is updated", "3 runs"],
            ["a process hangs", "Load of"],
        ),
        (["hang"], 1, ["a process hangs", "1 run"], ["1 runs", "never told"]),
        (["stall"], 1, ["one in eight stalls", "1 run, nobody declared dead in error"], ["never told"]),
        (["idle"], 1, ["Load of an idle member"], ["Until all members"]),
    ],
)
def test_a_picture_has_a_row_for_each_experiment_with_a_dot_for_each_run(
    experiments: list[str], runs: int, shown: list[str], missing: list[str], tmp_path: Path, capfdbinary: object
) -> None:
    path = tmp_path / "picture.svg"
    assert run(["simulate", *experiments, "-n", "5", "--runs", str(runs), "--plot", str(path)]) == 0
    drawn = path.read_text("utf-8")
    texts = re.findall(r">([^<>]+)</t(?:ext|span)>", drawn)
    assert [word for word in shown if word not in texts] == []
    assert not any(text.startswith(word) for text in texts for word in missing)
    assert "5 members, 0% lost, 0.3 ms one way" in texts
    assert "probe_interval 1.00 s, stall_tolerance 5.00 s, with tripwires" in texts
    if experiments not in (["stall"], ["idle"]):
        assert {"1 ms", "10 ms", "1 s", "10 s", "what swim plan expects"} <= {*texts}
        dots = re.findall(r'<use [^>]*style="fill: #1f77b4; fill-opacity: 0.5"', drawn)
        assert len(dots) == runs * len(experiments)


@pytest.mark.parametrize("tripwires", [True, False])
def test_the_band_in_a_picture_is_where_healthy_clusters_are(tripwires: bool) -> None:
    setting = Setting(members=8, config=Config.lan(tripwires=tripwires))
    for experiment, (start, end) in expected_times(setting).items():
        times = [conduct(experiment, setting, seed).told[-1] for seed in range(3)]
        assert start <= min(times) <= max(times) <= end, experiment


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["simulate", "explode"], "there is no experiment 'explode'"),
        (["simulate", "--plot", "picture.doc"], "should end in"),
        (["simulate", "--loss", "100"], "is not a share"),
        (["plan", "--against", "rings=99"], "--against rings: "),
        (["plan", "--against", "preset=moon"], "--against takes FIELD=VALUE, not 'preset=moon'"),
        (["simulate", "-n", "1"], "--members"),
        (["plan", "-n", "1"], "at least 2 members"),
        (["plan", "--rtt", "soon"], "is not a duration"),
        (["plan", "--set", "rings=99"], "rings"),
    ],
)
def test_what_can_not_be_used(arguments: list[str], said: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert captured.err.count("\n") == 1
