"""What the core costs a quiet node: `python -m pytest -n0 tests/bench/bench_cold.py -s --benchmark-columns=median,iqr`.

Such a node acts once or twice a second. In between other programs had the processor, and its caches hold nothing of
the node any more: then it costs about twenty times what `bench_core.py` shows, in proportion to how many functions and
objects are touched, not to how often. So here the caches are overwritten before each call; and the calls are counted,
which is exact where times are not.
"""

import sys
from collections import Counter
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from bench_core import STEPS, Step, node_knowing

ROUNDS = 200
CACHE = 64 << 20  # bytes, more than the last level of cache holds

_some, _other = bytearray(CACHE), bytearray(CACHE)


def cool() -> None:
    """Leave nothing in the caches that a node would use."""
    _other[:] = _some


def cold(step: Step) -> Callable[[], tuple[tuple[Any, ...], dict[str, Any]]]:
    """The setup of a step, followed by cooling."""

    def setup() -> tuple[tuple[Any, ...], dict[str, Any]]:
        prepared = step.setup()
        cool()
        return prepared

    return setup


def calls(step: Step, rounds: int = 50) -> tuple[Counter[str], int]:
    """How often a step calls each Python function of the core, in all rounds, and C functions."""
    functions: Counter[str] = Counter()
    built_in = 0

    def note(frame: FrameType, event: str, _: object) -> None:
        nonlocal built_in
        if "swim_core" in frame.f_code.co_filename:
            if event == "call":
                functions[frame.f_code.co_qualname] += 1
            built_in += event == "c_call"

    for _ in range(rounds):
        arguments, named = step.setup()
        sys.setprofile(note)
        step.call(*arguments, **named)
        sys.setprofile(None)
    return functions, built_in


def test_nothing(benchmark: Any) -> None:
    """What measuring takes by itself; subtract it from the others."""
    nothing = Step(lambda: ((), {}), lambda: None)
    benchmark.pedantic(nothing.call, setup=cold(nothing), rounds=ROUNDS)


@pytest.mark.parametrize("name", STEPS)
def test_a_cold(benchmark: Any, name: str) -> None:
    step = STEPS[name](node_knowing(19))
    benchmark.pedantic(step.call, setup=cold(step), rounds=ROUNDS, warmup_rounds=20)


@pytest.mark.parametrize("name", STEPS)
def test_calls(name: str) -> None:
    """Prints them: the number of distinct functions is what a cold node pays for."""
    step = STEPS[name](node_knowing(19))
    calls(step)  # what only the first ones need
    functions, built_in = calls(step)
    total = functions.total() / 50
    print(f"\n{name}: {total:.0f} calls of {len(functions)} functions of the core, {built_in / 50:.0f} built-in ones")
    print("   ", ", ".join(functions))
