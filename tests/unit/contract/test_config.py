"""Settings: the presets of section 8, the bounds of every field, and where settings come from."""

import typing
from collections.abc import Mapping
from datetime import timedelta
from math import inf, nan

import pytest

from swim_core import Config, ConfigError, ConfigFields, SwimError
from swim_core.native.settings import FIELDS, Settings

NUMBERS = {name: field.bounds for name, field in FIELDS.items() if field.bounds is not None}
WHOLE = [name for name in NUMBERS if FIELDS[name].kind is int]
SECONDS = [name for name in NUMBERS if FIELDS[name].kind is float]
ROOMY: dict[str, object] = {"max_datagram": 65_000, "probe_interval": 0.02, "stall_tolerance": 3_600, "max_helpers": 64}
"""With these values every other field may take its whole range."""


def make(**values: object) -> Config:
    return Config(**{**ROOMY, **values})  # type: ignore[arg-type]


def extreme(name: str, value: object) -> Config:
    """A config with one field at its bound, and the others where they allow it."""
    partners: dict[str, dict[str, object]] = {
        "probe_interval": {"stall_tolerance": 3_600},
        "stall_tolerance": {"probe_interval": 0.02},
        "max_datagram": {"max_broadcast": 1, "max_metadata": 0},
        "max_helpers": {"helpers": 1},
    }
    return make(**{**partners.get(name, {}), name: value})


# ------------------------------------------------------------------ presets


@pytest.mark.parametrize(
    ("config", "interval", "timeouts", "tolerance", "margin"),
    [
        (Config.local(), 0.5, (0.1, 0.25), 3.0, 0.25),
        (Config.lan(), 1.0, (0.2, 0.5), 5.0, 0.25),
        (Config.wan(), 2.0, (0.4, 1.0), 10.0, 1.0),
        (Config(), 1.0, (0.2, 0.5), 5.0, 0.25),
    ],
    ids=["local", "lan", "wan", "default"],
)
def test_presets(
    config: Config, interval: float, timeouts: tuple[float, float], tolerance: float, margin: float
) -> None:
    assert config.probe_interval == interval
    assert (config.min_probe_timeout, config.max_probe_timeout) == pytest.approx(timeouts)
    assert config.stall_tolerance == tolerance
    assert config.verdict_margin == margin
    assert (config.rings, config.helpers, config.max_helpers) == (4, 3, 24)


def test_the_bounds_of_the_protocol_are_the_defaults() -> None:
    config = Config()
    assert config.max_members == 16_384
    assert config.max_tombstones == 4_096
    assert config.max_new_members_per_second == 1_024
    assert config.max_metadata == 512
    assert config.max_pending == 4_096
    assert config.max_datagram == 1_200
    assert config.max_broadcast == 256
    assert config.max_corrections_per_second == 50
    assert config.max_held_back_per_second == 50
    assert (config.max_retained_broadcasts, config.max_retained_bytes, config.retain_broadcasts) == (1_024, 1 << 20, 60)
    assert config.max_waiting_broadcasts == 64
    assert (config.forget_after, config.forget_left_after) == (86_400, 600)
    assert config.join_backoff_max == 60
    assert config.flap_damping == 0
    assert config.event_buffer == 1_024


def test_presets_by_name() -> None:
    assert Config.preset("wan", rings=5) == Config.wan(rings=5)
    with pytest.raises(ConfigError, match="local, lan, wan"):
        Config.preset("moon")


def test_presets_take_overrides() -> None:
    config = Config.local(probe_interval=0.25, cluster="blue")
    assert (config.probe_interval, config.stall_tolerance, config.cluster) == (0.25, 3.0, "blue")
    with pytest.raises(TypeError):
        Config.lan(no_such_field=1)  # type: ignore[call-arg]


# ------------------------------------------------------------------ fields


def test_config_fields_and_config_are_alike() -> None:
    assert set(ConfigFields.__annotations__) == set(FIELDS)
    hints = typing.get_type_hints(ConfigFields)
    for name, kind in typing.get_type_hints(Settings).items():
        assert hints[name] == (float | timedelta if kind is float else kind), name
    assert not ConfigFields.__required_keys__


def test_every_field_is_documented_with_its_bounds() -> None:
    documentation = Config.__doc__ or ""
    for name, bounds in NUMBERS.items():
        assert f"{name}: " in documentation
        assert bounds.unit


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_has_its_bounds_inclusive(name: str) -> None:
    low, high = NUMBERS[name].low, NUMBERS[name].high
    for good in (low, high):
        assert getattr(extreme(name, int(good) if name in WHOLE else good), name) == good
    wrong: list[object] = [low - 1, high + 1, -inf, inf, nan, 2**64, None, "5", b"5", [], True, 1j]
    for bad in wrong:
        with pytest.raises(ConfigError, match=name):
            extreme(name, bad)


@pytest.mark.parametrize("name", WHOLE)
def test_whole_numbers_are_whole(name: str) -> None:
    for bad in (5.0, 5.5, timedelta(seconds=5)):
        with pytest.raises(ConfigError, match=name):
            extreme(name, bad)


@pytest.mark.parametrize("name", SECONDS)
def test_durations_are_seconds_or_timedelta_and_held_as_seconds(name: str) -> None:
    low, high = NUMBERS[name].low, NUMBERS[name].high
    value = min(high, max(low, 50.0))
    assert getattr(extreme(name, timedelta(seconds=value)), name) == value
    with pytest.raises(ConfigError, match=name):
        extreme(name, timedelta(days=40))
    with pytest.raises(ConfigError, match=name):
        extreme(name, timedelta(seconds=-1))


@pytest.mark.parametrize("label", ["", "x" * 64, "blue", "é" * 32, "a b"])
def test_labels(label: str) -> None:
    assert Config(cluster=label).cluster == label


@pytest.mark.parametrize("label", ["x" * 65, "é" * 33, "a\nb", "\0", "\ud800", b"x", None, 5])
def test_bad_labels(label: object) -> None:
    with pytest.raises(ConfigError, match="cluster"):
        Config(cluster=label)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "values",
    [
        {"probe_interval": 2.0, "stall_tolerance": 3.9},
        {"max_broadcast": 1_051},
        {"max_datagram": 800, "max_broadcast": 700, "max_metadata": 0},
        {"helpers": 5, "max_helpers": 4},
    ],
    ids=str,
)
def test_fields_that_do_not_go_together_are_refused_by_name(values: Mapping[str, object]) -> None:
    with pytest.raises(ConfigError) as caught:
        Config(**values)  # type: ignore[arg-type]
    assert any(name in str(caught.value) for name in values)
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, SwimError)


def test_a_config_is_immutable_and_compared_by_value() -> None:
    config = Config()
    with pytest.raises(AttributeError):
        config.rings = 5  # type: ignore[misc]
    assert config == Config.lan()
    assert hash(config) == hash(Config.lan())
    assert config != Config.wan()


def test_replace_gives_a_validated_copy() -> None:
    config = Config.wan(cluster="blue")
    other = config.replace(stall_tolerance=timedelta(seconds=20), rings=5)
    assert (other.stall_tolerance, other.rings, other.cluster, other.probe_interval) == (20.0, 5, "blue", 2.0)
    assert config.rings == 4
    with pytest.raises(ConfigError, match="rings"):
        config.replace(rings=9)
    with pytest.raises(ConfigError, match="stall_tolerance"):
        config.replace(probe_interval=6.0)
    with pytest.raises(TypeError):
        config.replace(no_such_field=1)  # type: ignore[call-arg]


# ------------------------------------------------------------------ the environment


def test_the_environment_names_every_field() -> None:
    for name, bounds in NUMBERS.items():
        value = bounds.high if name in ("max_datagram", "stall_tolerance") else getattr(Config(), name)
        assert getattr(Config.from_env({f"SWIM_{name.upper()}": str(value)}), name) == value
    assert Config.from_env({"SWIM_CLUSTER": "blue"}).cluster == "blue"


def test_nothing_set_is_the_lan_preset() -> None:
    assert Config.from_env({}) == Config.lan()
    assert Config.from_env({"SWIM_RINGS": "", "SWIM_PRESET": ""}) == Config.lan()


def test_the_preset_stands_below_the_variables_and_overrides_above() -> None:
    environ = {"SWIM_PRESET": "wan", "SWIM_PROBE_INTERVAL": "1.5", "SWIM_RINGS": "5"}
    config = Config.from_env(environ, rings=6)
    assert (config.stall_tolerance, config.probe_interval, config.rings) == (10.0, 1.5, 6)


def test_an_override_hides_a_bad_variable() -> None:
    assert Config.from_env({"SWIM_RINGS": "many"}, rings=6).rings == 6


def test_the_real_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWIM_RINGS", "7")
    assert Config.from_env().rings == 7


def test_variables_of_others_are_ignored() -> None:
    assert Config.from_env({"SWIM_BIND": "x", "SWIM_NO_SUCH": "1", "RINGS": "9"}) == Config.lan()


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("text", ["many", "nan", "inf", "-1", "1e9999", "99999999999", "0x10", "5;"])
def test_a_bad_value_is_an_error_that_names_the_variable(name: str, text: str) -> None:
    with pytest.raises(ConfigError, match=f"SWIM_{name.upper()}"):
        Config.from_env({f"SWIM_{name.upper()}": text})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("1", True),
        ("Yes", True),
        ("ON", True),
        ("false", False),
        ("0", False),
        ("no", False),
        ("off", False),
    ],
)
def test_a_switch_is_on_or_off_in_several_words(text: str, value: bool) -> None:
    assert Config.from_env({"SWIM_TRIPWIRES": text}).tripwires is value


def test_a_switch_is_nothing_else() -> None:
    with pytest.raises(ConfigError, match="SWIM_TRIPWIRES must be true or false, not 'maybe'"):
        Config.from_env({"SWIM_TRIPWIRES": "maybe"})
    with pytest.raises(ConfigError, match="tripwires must be True or False, not 1"):
        Config(tripwires=1)  # type: ignore[arg-type]


def test_presets_say_when_a_silent_kernel_is_a_lost_host() -> None:
    assert [Config.preset(name).host_tolerance for name in ("local", "lan", "wan")] == [0.0, 3.0, 6.0]


def test_a_bad_label_or_preset_names_its_variable() -> None:
    with pytest.raises(ConfigError, match="SWIM_CLUSTER"):
        Config.from_env({"SWIM_CLUSTER": "x" * 65})
    with pytest.raises(ConfigError, match="SWIM_PRESET"):
        Config.from_env({"SWIM_PRESET": "moon"})


def test_values_that_do_not_go_together_name_their_variables() -> None:
    with pytest.raises(ConfigError, match="SWIM_PROBE_INTERVAL"):
        Config.from_env({"SWIM_PROBE_INTERVAL": "4"})
    with pytest.raises(ConfigError, match="SWIM_MAX_BROADCAST"):
        Config.from_env({"SWIM_MAX_BROADCAST": "1100"})
