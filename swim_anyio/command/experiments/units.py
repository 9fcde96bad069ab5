"""Durations and shares as people write them."""

import re
from math import isfinite

import typer

__all__ = ["read_delay", "read_duration", "read_share", "say_duration", "say_hops", "say_share"]

SIZES = ((1e12, " trillion"), (1e9, " billion"), (1e6, " million"), (1e3, " thousand"), (1.0, ""))
SECONDS = {"": 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "m": 60.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}


def read_duration(text: str) -> float:
    """Seconds: ``0.5``, ``500ms``, ``2s``, ``1m``.

    Raises:
        BadParameter: if it is not a duration.
    """
    found = re.fullmatch(r"\s*([0-9.]+(?:e-?[0-9]+)?)\s*([a-z]*)\s*", str(text))
    try:
        assert found is not None
        return float(found[1]) * SECONDS[found[2]]
    except (AssertionError, KeyError, ValueError):
        raise typer.BadParameter(f"{text!r} is not a duration: write 0.5, 500ms or 2s") from None


def read_delay(text: str) -> float:
    """Seconds of what takes less than one, so that a bare number is of milliseconds: ``40``, ``40ms``, ``0.3s``.

    Raises:
        BadParameter: if it is not a duration.
    """
    written = str(text).strip()
    return read_duration(f"{written}ms" if written[-1:].isdigit() else written)


def read_share(text: str) -> float:
    """A share from 0 to below 1: ``1%``, ``1`` or ``0.01``. A bare number of 1 or more is of per cent.

    Raises:
        BadParameter: if it is not such a share.
    """
    number, percent = str(text).strip().removesuffix("%"), str(text).strip().endswith("%")
    try:
        share = float(number)
        share /= 100 if percent or share >= 1 else 1
    except ValueError:
        share = -1.0
    if not (isfinite(share) and 0 <= share < 1):
        raise typer.BadParameter(f"{text!r} is not a share below 100%: write 1%, 1 or 0.01")
    return share


def say_duration(seconds: float | None) -> str:
    """A duration for people, no more exact than they need; "–" for none."""
    if seconds is None:
        return "–"
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{1000 * seconds:.1f} ms"


def say_hops(hops: int) -> str:
    """A number of hops for people."""
    return f"{hops} hop{'s' * (hops != 1)}"


def say_share(share: float) -> str:
    """A share for people: "12 %", "1 in 100 million"; "none" where that hardly differs."""
    if share < 1e-15:
        return "none"
    if share >= 0.01:
        return f"{100 * share:.0f} %"
    size, unit = next((size, unit) for size, unit in SIZES if 1 / share >= size)
    return f"1 in {float(f'{1 / share / size:.2g}'):g}{unit}"
