"""Durations as settings and calls take them: seconds or a timedelta."""

from datetime import timedelta

__all__ = ["Duration"]


Duration = float | timedelta
"""Seconds, or a timedelta."""


def seconds(value: Duration) -> float:
    """A duration as plain seconds; what is neither number nor timedelta stays as it is, for a validator to refuse."""
    return value.total_seconds() if isinstance(value, timedelta) else value
