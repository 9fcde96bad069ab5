"""Calls that are made when little of the stack is left."""

from collections.abc import Callable
from typing import TypeVar

__all__ = ["with_frames_left"]

T = TypeVar("T")


def with_frames_left(frames: int, call: Callable[[], T]) -> T:
    """Make a call so deep in the stack that about ``frames`` more may be entered, this one included."""
    return _descend(_room() - frames, call)


def _room() -> int:
    try:
        return _room() + 1
    except RecursionError:
        return 0


def _descend(frames: int, call: Callable[[], T]) -> T:
    return _descend(frames - 1, call) if frames > 0 else call()
