"""The bugs of `tests/mutants/plant.py` quote the source, which changes, so each must still fit."""

import sys

import pytest

from support.paths import ROOT

sys.path.append(str(ROOT / "tests" / "mutants"))
from bugs import BUGS, Bug


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: str(bug.number))
def test_a_planted_bug_fits_the_code(bug: Bug) -> None:
    assert (ROOT / bug.file).read_text().count(bug.old) == 1
    assert bug.new != bug.old
    assert all((ROOT / "tests" / tests).exists() for tests in bug.tests)
