"""Where nodes live: on this machine and its network, unless a test has put a simulated network in their place.

The one hook by which `swim_anyio.testing` gets beneath code that only knows `open_node`. It is global on purpose: while
a simulated network is there, no node of this process opens a real socket, whichever task or thread opens it.
"""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from swim_core.embedding.arguments import Arguments

    from .engine import Engine
    from .loops import Loop

__all__ = ["SimulationHook", "current", "replace"]


class SimulationHook(Protocol):
    """What `open_node` asks in place of the machine it runs on."""

    @property
    def hostname(self) -> str:
        """Of the host that the calling task is on; the default name of a node begins with it."""

    def suffix(self) -> str:
        """Random characters for the default name of a node."""

    async def prepare(self, arguments: "Arguments") -> "tuple[Engine, Loop]":
        """A node that is bound and not yet started, and its loop.

        Raises:
            BindError: if the address can't be had.
            ConfigError: if an argument can't be used.
        """


_current: SimulationHook | None = None


def current() -> SimulationHook | None:
    """What stands in place of this machine, if anything does."""
    return _current


def replace(simulation: SimulationHook | None) -> None:
    """Put that in place of this machine, or take it away.

    Raises:
        RuntimeError: if there is something already.
    """
    global _current
    if simulation is not None and _current is not None:
        raise RuntimeError("there is a simulated network already: leave it first")
    _current = simulation
