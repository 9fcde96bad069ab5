"""Where things are in the checkout."""

from pathlib import Path

__all__ = ["DATA", "DOCS", "ROOT", "TESTS"]

TESTS = Path(__file__).resolve().parents[1]
ROOT = TESTS.parent
DOCS = ROOT / "docs"
DATA = TESTS / "interop" / "data"
