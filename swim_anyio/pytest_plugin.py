"""A plugin for pytest: a seed for each session, and fixtures that are simulations with that seed.

pytest loads this at every start of every project that has this library installed, so it imports nothing of weight until
a fixture is used.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from random import SystemRandom
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from swim_core.simulation import Simulation

    from .testing import SimulatedNetwork

__all__ = ["swim_network", "swim_seed", "swim_simulation"]

_SEED = pytest.StashKey[int]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("swim", "simulations of swim-membership")
    group.addoption(
        "--swim-seed",
        type=int,
        default=None,
        metavar="N",
        help="seed of the fixtures swim_simulation and swim_network; by default a fresh one, told where a test fails",
    )


def pytest_configure(config: pytest.Config) -> None:
    seed: int | None = config.getoption("--swim-seed")
    config.stash[_SEED] = SystemRandom().getrandbits(32) if seed is None else seed


@pytest.fixture
def swim_seed(pytestconfig: pytest.Config) -> int:
    """The seed of this session: ``--swim-seed``, or a fresh one."""
    return pytestconfig.stash[_SEED]


@pytest.fixture
def swim_simulation(swim_seed: int) -> Iterator[Simulation]:
    """An empty `swim_core.simulation.Simulation`; set its ``application`` and ``config`` before you start processes."""
    from swim_core.simulation import Simulation

    with Simulation(swim_seed) as simulation:
        yield simulation


@pytest.fixture
def swim_network(swim_seed: int) -> Iterator[SimulatedNetwork]:
    """A `swim_anyio.testing.SimulatedNetwork` in place of the real one; run programs on it by ``run``.

    An async test runs on it too, if trio's clock jumps: under pytest-trio ask for ``autojump_clock`` as well, under
    anyio's plugin let the fixture ``anyio_backend`` return ``"trio", {"clock": swim_network.clock()}``.
    """
    try:
        from .testing import simulated_network
    except ImportError as error:
        raise pytest.UsageError(f'swim_network needs trio: pip install "swim-membership[trio]" ({error})') from error

    with simulated_network(swim_seed) as network:
        yield network


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed and "swim_seed" in getattr(item, "fixturenames", ()):
        report.sections.append(("swim-membership", f"replay this run with --swim-seed={item.config.stash[_SEED]}"))
    return report
