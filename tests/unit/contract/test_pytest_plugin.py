"""The pytest plugin: fixtures of both simulations with one seed, which failures print and an option sets."""

import re

import pytest

pytest_plugins = ["pytester"]

ARGUMENTS = ("-p", "swim_anyio.pytest_plugin", "-p", "no:randomly", "-p", "no:cacheprovider")

CORE = """
    from swim_core import MemberDied

    class Grave:
        def __init__(self, node):
            self.node, self.dead = node, []

        def on_event(self, event):
            if isinstance(event, MemberDied):
                self.dead.append(event.member.name)

    def test_a_crash(swim_simulation, swim_seed):
        assert swim_simulation.seed == swim_seed
        swim_simulation.application = Grave
        swim_simulation.form(3)
        swim_simulation.crash("node-2")
        swim_simulation.run_until(swim_simulation.agreed, limit=5.0)
        assert swim_simulation.process("node-0").application.dead == ["node-2"]
"""

NETWORK = """
    import pytest, trio, swim_anyio

    async def program():
        async with swim_anyio.open_node("127.0.0.1:7946", name="ann"):
            async with swim_anyio.open_node("127.0.0.1:0", name="bob", join="127.0.0.1") as bob:
                await bob.wait_for_members(2)
                await trio.sleep(60)
                return len(bob.members())
"""


def test_a_simulation(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(CORE)
    pytester.runpytest_inprocess(*ARGUMENTS).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "test",
    [
        """
    def test_it(swim_network):
        assert swim_network.run(program) == 2
        assert swim_network.traffic.sent > 100
        """,
        """
    @pytest.mark.trio
    async def test_it(autojump_clock, swim_network):
        assert await program() == 2
        assert swim_network.traffic.sent > 100
        """,
        """
    @pytest.fixture
    def anyio_backend(swim_network):
        return "trio", {"clock": swim_network.clock()}

    @pytest.mark.anyio
    async def test_it(swim_network):
        assert await program() == 2
        assert swim_network.traffic.sent > 100
        """,
    ],
    ids=["run", "pytest-trio", "anyio"],
)
def test_a_network(pytester: pytest.Pytester, test: str) -> None:
    pytester.makepyfile(NETWORK + test)
    pytester.runpytest_inprocess(*ARGUMENTS).assert_outcomes(passed=1)


def test_a_failure_tells_the_seed_and_the_option_brings_it_back(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_core(swim_simulation):
            print("core has", swim_simulation.seed)
            assert False

        def test_network(swim_network):
            print("network has", swim_network.seed)
            assert False

        def test_neither():
            assert False
        """
    )
    fresh = pytester.runpytest_inprocess(*ARGUMENTS)
    fresh.assert_outcomes(failed=3)
    seeds = re.findall(r"replay this run with --swim-seed=(\d+)", fresh.stdout.str())
    assert len(seeds) == 2
    assert seeds[0] == seeds[1]
    again = pytester.runpytest_inprocess(*ARGUMENTS, f"--swim-seed={seeds[0]}")
    again.stdout.fnmatch_lines([f"core has {seeds[0]}", f"network has {seeds[0]}"])
    other = pytester.runpytest_inprocess(*ARGUMENTS)
    assert f"--swim-seed={seeds[0]}" not in other.stdout.str()


@pytest.mark.processes
def test_it_is_light_and_harmless_where_there_is_no_trio(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeconftest("import sys; sys.modules['trio'] = sys.modules['anyio'] = None")
    pytester.makepyfile(
        """
        import sys

        def test_nothing_is_imported_until_it_is_needed():
            heavy = {"attrs", "msgspec", "swim_core", "swim_anyio.testing"}
            if sys.version_info < (3, 14):  # from then on pdb, which pytest imports, brings it
                heavy.add("asyncio")
            assert not heavy & sys.modules.keys()

        def test_the_core_needs_no_trio(swim_simulation):
            swim_simulation.form(2)

        def test_the_network_says_what_it_needs(swim_network):
            pass
        """
    )
    result = pytester.runpytest_subprocess(*ARGUMENTS)
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(['*swim_network needs trio: pip install "swim-membership[[]trio[]]"*'])
