"""What native nodes say to each other, for observers that check mechanisms and not only outcomes."""

from collections.abc import Callable, Iterator
from functools import lru_cache

from swim_core.address import Address
from swim_core.native.config import Config
from swim_core.native.sealing.seal import Opened
from swim_core.native.wire.datagram import Codec, Envelope, Flags
from swim_core.native.wire.hashing import Hashes

from .cluster import Cluster
from .eavesdropper import Eavesdropper
from .observer import Observer
from .process import Process

__all__ = ["Wiretap"]

Opener = Callable[[bytes], tuple[int, Envelope, Opened | None] | None]


class Wiretap(Observer):
    """An observer that opens datagrams: override `on_said` and `on_heard`.

    Raises:
        TypeError: if the cluster does not speak the native protocol.
    """

    def __init__(self, cluster: Cluster) -> None:
        if not isinstance(cluster.config, Config):
            raise TypeError("a wiretap understands the native protocol only")
        self.cluster = cluster
        self.config: Config = cluster.config
        self._hashes = Hashes(self.config.cluster, self.config.rings)
        if cluster.keys is None:
            self._open = _opener(self._hashes.label)
        else:
            self._open = _opener_of(
                Codec(self._hashes.label, Eavesdropper(cluster.keys, self.config.cluster, self._runs))
            )

    def _runs(self) -> Iterator[int]:
        """The short ids of all running nodes."""
        return map(self.short_id, self.cluster.running())

    def short_id(self, process: Process) -> int:
        """The short id of a process's present run."""
        local = process.node.local
        return self._hashes.short_id(local.name, local.epoch)

    def id_of(self, name: str, epoch: int) -> int:
        """The short id of that run."""
        return self._hashes.short_id(name, epoch)

    def on_send(self, process: Process, destination: Address, payload: bytes) -> None:
        opened = self._open(payload)
        if opened is not None:
            self.on_said(process, destination, opened[1])

    def on_receive(self, process: Process, payload: bytes, source: Address) -> None:
        opened = self._open(payload)
        if opened is not None:
            self.on_heard(process, source, opened[1], deaf=bool(opened[0] & Flags.DEAF))

    def on_said(self, process: Process, destination: Address, said: Envelope) -> None:
        """A node sent this message."""

    def on_heard(self, process: Process, source: Address, said: Envelope, *, deaf: bool) -> None:
        """A node is about to get this message; ``deaf`` if the sender says that it hears nobody."""


@lru_cache(maxsize=8)
def _opener(label: int) -> Opener:
    """One for all observers."""
    return _opener_of(Codec(label))


def _opener_of(codec: Codec) -> Opener:
    """Opens each datagram once for all observers at both ends."""

    @lru_cache(maxsize=2_048)
    def opened(payload: bytes) -> tuple[int, Envelope, Opened | None] | None:
        found = codec.open(payload)
        return found if isinstance(found, tuple) else None

    return opened
