"""A name service for tests, in place of the system's."""

import socket
import threading

from support.waiting import SOON

__all__ = ["Names"]


class Names:
    """A name service for a test. ``known`` maps names to hosts; every look-up is in ``asked``.

    While ``hold`` is there each waits for it.
    """

    def __init__(self) -> None:
        self.known: dict[str, list[str]] = {}
        self.asked: list[str] = []
        self.changed = threading.Condition()
        self.hold: threading.Event | None = None

    def getaddrinfo(self, host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        with self.changed:
            self.asked.append(host)
            self.changed.notify_all()
        if self.hold is not None:
            self.hold.wait(SOON)
        if host not in self.known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (socket.AF_INET6 if ":" in found else socket.AF_INET, socket.SOCK_DGRAM, 17, "", (found, port))
            for found in self.known[host]
        ]

    def wait_asked(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.asked) >= count, SOON)
