"""Durations, as settings and calls accept them: seconds or a timedelta."""

from datetime import timedelta

__all__ = ["Duration"]


Duration = float | timedelta
"""Seconds, or a timedelta."""


def seconds(value: Duration) -> float:
    """A duration in plain seconds. A value of another type is returned unchanged, for a validator to refuse."""
    return value.total_seconds() if isinstance(value, timedelta) else value
