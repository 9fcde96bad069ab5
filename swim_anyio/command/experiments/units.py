"""Durations and shares as people write them."""

import re
from math import isfinite

import typer

__all__ = ["read_duration", "read_share", "say_duration"]

SECONDS = {"": 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "m": 60.0, "min": 60.0, "h": 3_600.0}


def read_duration(text: str) -> float:
    """Seconds: ``0.5``, ``500ms``, ``2s``, ``1m``.

    Raises:
        BadParameter: if it is none.
    """
    found = re.fullmatch(r"\s*([0-9.]+(?:e-?[0-9]+)?)\s*([a-z]*)\s*", str(text))
    try:
        assert found is not None
        return float(found[1]) * SECONDS[found[2]]
    except (AssertionError, KeyError, ValueError):
        raise typer.BadParameter(f"{text!r} is no time: write 0.5, 500ms or 2s") from None


def read_share(text: str) -> float:
    """A share from 0 to below 1: ``1%`` or ``0.01``.

    Raises:
        BadParameter: if it is none.
    """
    number, percent = str(text).strip().removesuffix("%"), str(text).strip().endswith("%")
    try:
        share = float(number) / (100 if percent else 1)
    except ValueError:
        share = -1.0
    if not (isfinite(share) and 0 <= share < 1):
        raise typer.BadParameter(f"{text!r} is no share: write 1% or 0.01, below 100%")
    return share


def say_duration(seconds: float | None) -> str:
    """A duration in words, as exactly as one wants to know it; "–" for none."""
    if seconds is None:
        return "–"
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{1000 * seconds:.1f} ms"
