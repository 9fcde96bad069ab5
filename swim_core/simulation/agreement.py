"""Whether nodes agree about who is there."""

from collections.abc import Sequence

from swim_core.member import Member

from .process import Process

__all__ = ["agree", "identity"]


def agree(running: Sequence[Process]) -> bool:
    """Whether each of these sees exactly these as live, each as it describes itself."""
    views = [process.node.members() for process in running]
    if any(len(view) != len(running) for view in views):
        return False  # seen at a glance while a large cluster still learns
    truth = sorted(identity(process.node.local) for process in running)
    shared = None  # as nodes that started formed have it
    for view in views:
        if view is not shared and sorted(map(identity, view)) != truth:
            return False
        shared = view
    return True


def identity(member: Member) -> tuple[str, int, int]:
    """What two views must agree on about a live member: name, epoch, incarnation."""
    return (member.name, member.epoch, member.incarnation)
