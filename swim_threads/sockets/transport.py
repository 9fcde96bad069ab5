"""What a transport is: how an engine uses the socket of its datagrams, and the one of a multicast group."""

from collections.abc import Callable
from socket import AddressFamily
from typing import Protocol

from swim_core import Address, Losses, Multicast
from swim_core.embedding.log_messages import Notice

__all__ = ["DatagramSocket"]


class DatagramSocket(Protocol):
    """What an engine needs of a socket; `UdpSocket` states the manners."""

    @property
    def saw_errors(self) -> bool: ...

    @property
    def unsent(self) -> bool: ...

    @property
    def reachable_families(self) -> tuple[AddressFamily, ...]: ...

    def fileno(self) -> int: ...

    def receive(
        self,
        on_datagram: Callable[[bytes, Address], None],
        on_refused: Callable[[Address, bytes], None],
        limit: int = 64,
    ) -> bool: ...

    def note_zone(self, host: str) -> None: ...

    def send(self, payload: bytes, destination: Address, on_refused: Callable[[Address, bytes], None]) -> bool: ...

    def losses(self) -> Losses | None: ...

    def trouble(self) -> Notice | None: ...

    def close(self) -> None: ...


class GroupSocket(Protocol):
    """What an engine needs to discover others; `MulticastSocket` states the manners."""

    @property
    def settings(self) -> Multicast: ...

    @property
    def group(self) -> Address: ...

    def fileno(self) -> int: ...

    def receive(self, on_datagram: Callable[[bytes, Address], None], limit: int = 64) -> bool: ...

    def send(self, payload: bytes) -> str | None: ...

    def move(self, host: str) -> None: ...

    def close(self) -> None: ...
