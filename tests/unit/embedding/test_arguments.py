"""The arguments of a node: what is given, what the environment adds, what is refused and in which words."""

import re
from pathlib import Path
from typing import Any

import pytest

from support.paths import ROOT
from swim_core import Address, Config, ConfigError, on_broadcast, on_status
from swim_core.embedding.arguments import VARIABLES, Arguments, check_listeners, misspelt, read_arguments
from swim_core.smudge import SmudgeConfig


def read(*bind: str | tuple[str, int], environ: dict[str, str] | None = None, **arguments: object) -> Arguments:
    return read_arguments(*bind, environ=environ or {}, hostname="alpha", suffix="c0ffee", **arguments)  # type: ignore[arg-type]


def test_nothing_given_means_loopback_and_the_lan_preset() -> None:
    assert read() == Arguments(
        bind=("127.0.0.1", 7946),
        name="alpha-c0ffee",
        join=(),
        config=Config.lan(),
        advertise=None,
        metadata=None,
    )


def test_everything_given() -> None:
    config = Config.local()
    arguments = read(
        "[::]:0", name="a", join=["seed", ("10.0.0.1", 1), "seed"], config=config, advertise="h", metadata={"k": "v"}
    )
    assert arguments == Arguments(
        bind=("::", 0),
        name="a",
        join=(("seed", 7946), ("10.0.0.1", 1)),
        config=config,
        advertise=("h", 0),
        metadata={"k": "v"},
    )
    assert arguments.config is config


def test_the_environment_fills_in_what_is_not_given() -> None:
    environ = {
        "SWIM_BIND": "0.0.0.0:7000",
        "SWIM_NAME": "from-env",
        "SWIM_JOIN": "a:1, b ,[::1]:2,",
        "SWIM_CLUSTER": "blue",
        "SWIM_PROBE_INTERVAL": "0.5",
    }
    arguments = read(environ=environ)
    assert arguments.bind == ("0.0.0.0", 7000)
    assert arguments.name == "from-env"
    assert arguments.join == (("a", 1), ("b", 7946), ("::1", 2))
    assert arguments.config == Config.lan(cluster="blue", probe_interval=0.5)


def test_arguments_win_over_the_environment() -> None:
    environ = {"SWIM_BIND": "bad:bad", "SWIM_NAME": "\n", "SWIM_JOIN": "bad:bad", "SWIM_CLUSTER": "\n"}
    arguments = read("127.0.0.1:1", name="a", join=[], cluster="green", environ=environ)
    assert (arguments.bind, arguments.name, arguments.join) == (("127.0.0.1", 1), "a", ())
    assert arguments.config == Config.lan(cluster="green")


def test_empty_variables_count_as_unset() -> None:
    assert read(environ={"SWIM_BIND": "", "SWIM_NAME": "", "SWIM_JOIN": "", "SWIM_CLUSTER": ""}) == read()


def test_a_given_config_is_taken_as_it_is() -> None:
    environ = {"SWIM_CLUSTER": "blue", "SWIM_PROBE_INTERVAL": "0.5"}
    assert read(config=Config.lan(), environ=environ).config == Config.lan()
    assert read(config=Config.wan(), cluster="green", environ=environ).config == Config.wan(cluster="green")


def test_seeds_may_be_one_string() -> None:
    assert read(join="a:1,b:2").join == (("a", 1), ("b", 2))


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"SWIM_BIND": "host:port"}, "SWIM_BIND: 'host:port' is not an address"),
        ({"SWIM_JOIN": "fine:1,:2"}, "SWIM_JOIN: ':2' is not an address"),
        ({"SWIM_JOIN": "fine:0"}, "SWIM_JOIN: a seed can't have port 0"),
        ({"SWIM_NAME": "a\nb"}, "SWIM_NAME: a name holds printable characters only"),
        ({"SWIM_CLUSTER": "x" * 65}, "SWIM_CLUSTER"),
        ({"SWIM_PROBE_INTERVAL": "soon"}, "SWIM_PROBE_INTERVAL"),
    ],
)
def test_a_bad_variable_is_named(environ: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(environ=environ)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"bind": ("127.0.0.1", 70_000)}, "bind:"),
        ({"bind": ("127.0.0.1", "7946")}, "bind: give"),
        ({"bind": ("127.0.0.1", True)}, "bind: give"),
        ({"bind": 7946}, "bind: give"),
        ({"bind": ("127.0.0.1",)}, "bind: give"),
        ({"join": [("", 1)]}, "join:"),
        ({"join": [("seed", 0)]}, "join: a seed can't have port 0"),
        ({"advertise": "a b"}, "advertise:"),
        ({"name": ""}, "name: a name has 1 to 64 bytes"),
        ({"name": "x" * 65}, "name: a name has 1 to 64 bytes"),
        ({"cluster": "\n"}, "cluster must be"),
    ],
)
def test_a_bad_argument_is_named(arguments: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_arguments(**arguments, environ={}, hostname="alpha", suffix="x")  # type: ignore[arg-type]
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("hostname", "name"),
    [("h" * 80, "h" * 57 + "-c0ffee"), ("é" * 40, "é" * 28 + "-c0ffee"), ("\n", "node-c0ffee"), ("", "node-c0ffee")],
)
def test_the_default_name_always_is_one(hostname: str, name: str) -> None:
    assert read_arguments(environ={}, hostname=hostname, suffix="c0ffee").name == name


def test_a_config_that_says_where_to_listen_and_whom_to_join_is_asked_before_the_environment() -> None:
    environ = {"SWIM_BIND": "127.0.0.1:1", "SWIM_JOIN": "10.0.0.9:1"}
    config = SmudgeConfig(listen_port=9_998, initial_hosts="10.0.0.1, 10.0.0.2:7")
    arguments = read(config=config, environ=environ)
    assert arguments.bind == ("127.0.0.1", 9_998)
    assert arguments.join == (("10.0.0.1", 9_998), ("10.0.0.2", 7))
    given = read("127.0.0.1:0", join=["10.0.0.3:8"], config=config, environ=environ)
    assert (given.bind, given.join) == (("127.0.0.1", 0), (("10.0.0.3", 8),))
    native = read(config=Config(), environ=environ)
    assert (native.bind, native.join) == (("127.0.0.1", 1), (("10.0.0.9", 1),))


@pytest.mark.parametrize(
    ("bind", "means"),
    [
        ("10.0.0.0/8:7000", ("10.0.0.0/8", 7000)),
        ("10.1.2.3/8", ("10.0.0.0/8", 7946)),
        ("[fd00::/8]:0", ("fd00::/8", 0)),
        ("fd00::/8", ("fd00::/8", 7946)),
        ("eth0:7000", ("eth0", 7000)),
    ],
)
def test_where_to_listen_may_be_a_network_or_an_interface(bind: str, means: tuple[str, int]) -> None:
    assert read(bind).bind == means
    assert read(environ={"SWIM_BIND": bind}).bind == means


@pytest.mark.parametrize("bind", ["10.0.0.0/33", "a/8:1", "10.0.0.0/8:x", "[fd00::/8:7", "/", "10.0.0.0/"])
def test_a_network_that_is_none_is_refused_by_name(bind: str) -> None:
    with pytest.raises(ConfigError, match=r"^SWIM_BIND: "):
        read(environ={"SWIM_BIND": bind})


@pytest.mark.parametrize(
    "join",
    [Address("10.0.0.1", 7946), ("10.0.0.1", 7946), [("10.0.0.1", 7946)], "10.0.0.1", ["10.0.0.1:7946"]],
)
def test_a_seed_may_be_given_in_many_ways(join: object) -> None:
    assert read(join=join).join == (("10.0.0.1", 7946),)


def test_two_seeds_are_no_pair_of_host_and_port() -> None:
    assert read(join=("alpha", "beta")).join == (("alpha", 7946), ("beta", 7946))


@pytest.mark.parametrize("arguments", [{"name": 5}, {"join": 7946}, {"config": {}}, {"config": "lan"}])
def test_what_is_of_another_kind_altogether_is_refused(arguments: dict[str, object]) -> None:
    (name,) = arguments
    with pytest.raises(ConfigError, match=f"^{name}: "):
        read_arguments(**arguments, environ={}, hostname="alpha", suffix="x")  # type: ignore[arg-type]


def test_variables_that_resemble_one_that_is_read_are_warned_of() -> None:
    environ = {"SWIM_PRSET": "lan", "SWIM_JION": "", "SWIM_JOIN": "a", "SWIM_OF_MY_OWN": "1", "SWIN_BIND": "x"}
    assert list(misspelt(environ)) == [
        "nothing reads the variable SWIM_JION: is SWIM_JOIN meant?",
        "nothing reads the variable SWIM_PRSET: is SWIM_PRESET meant?",
    ]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"keys": 5}, "keys are texts"),
        ({"key_file": 5}, "key_file: give the path of a file, not 5"),
        ({"insecure": "false"}, "insecure: give True or False, not 'false'"),
    ],
)
def test_arguments_of_another_type_are_refused(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        read(**arguments)


def test_a_key_file_may_be_a_path() -> None:
    assert read(key_file=Path("swim.key")).key_file == "swim.key"


def test_listeners_are_functions_in_a_list() -> None:
    no_listener: Any = 5
    assert check_listeners(iter([print])) == (print,)
    for listeners in (print, no_listener, [print, no_listener]):
        with pytest.raises(ConfigError, match="function"):
            check_listeners(listeners)  # type: ignore[arg-type]
    for make in (on_status, on_broadcast):
        with pytest.raises(ConfigError, match="function"):
            make(no_listener)


def test_every_variable_that_the_code_names_is_known() -> None:
    """So it isn't taken for a misspelt one."""
    sources = [
        path for package in ("swim_core", "swim_threads", "swim_anyio") for path in (ROOT / package).rglob("*.py")
    ]
    named = {name for path in sources for name in re.findall(r"SWIM_[A-Z_]*[A-Z]", path.read_text())}
    assert len(named) > 8
    assert named <= VARIABLES
