"""The wire between hosts, which forges what their kernels say: `python forging_wire.py PORT...`, as root.

It hands on every frame after `WAY`, or `FAR` from and to the host at the first port, so that others can talk to each
other sooner than that one answers. From the line `attack` on its standard input until the line `rest`, it
also says, at once and in the name of the other end, that nobody listens there: to each datagram with an ICMP message
that quotes it, to each segment with a reset, and first to every connection that it has seen. It drops nothing, and its
forgeries are always sooner than any true answer. Twice a second it prints how many of each there were.
"""

import json
import select
import socket
import struct
import sys
import time
from collections import Counter
from heapq import heappop, heappush
from itertools import count

MEMBERS = 7946  # the port
WAY, FAR = 0.001, 0.015  # seconds
ALL, OUTGOING = 3, 4  # of packet(7)
SOL_PACKET, VNET_HDR = 263, 15
AS_IS = bytes(10)  # the header of virtio, which says of true frames that their checksums are still to be filled in
FIN, SYN, RST, ACK = 1, 2, 4, 16
BROADCAST = b"\xff" * 6


def checksum(data: bytes) -> int:
    """That of IP."""
    padded = data + bytes(len(data) % 2)
    total: int = sum(struct.unpack(f">{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(source: bytes, destination: bytes, protocol: int, body: bytes) -> bytes:
    """An IP packet."""
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 0, 0, 64, protocol, 0, source, destination)
    return head[:10] + struct.pack(">H", checksum(head)) + head[12:] + body


def refusal(quoted: bytes) -> bytes:
    """The ICMP message that nobody listens where a UDP packet was sent."""
    body = quoted[:528]
    unsummed = struct.pack(">BBHI", 3, 3, 0, 0) + body
    message = struct.pack(">BBHI", 3, 3, checksum(unsummed), 0) + body
    return packet(quoted[16:20], quoted[12:16], socket.IPPROTO_ICMP, message)


def reset(source: bytes, destination: bytes, ports: tuple[int, int], seq: int, ack: int | None) -> bytes:
    """One end of a connection."""
    flags = RST if ack is None else RST | ACK
    segment = struct.pack(">HHIIBBHHH", *ports, seq % 2**32, (ack or 0) % 2**32, 5 << 4, flags, 0, 0, 0)
    pseudo = source + destination + struct.pack(">BBH", 0, socket.IPPROTO_TCP, len(segment))
    summed = segment[:16] + struct.pack(">H", checksum(pseudo + segment)) + segment[18:]
    return packet(source, destination, socket.IPPROTO_TCP, summed)


class Wire:
    """Hands frames on from port to port, and forges."""

    def __init__(self, ports: list[str]) -> None:
        self._sockets = [self._socket(port) for port in ports]
        self._behind: dict[bytes, socket.socket] = {}
        self._under_way: list[tuple[float, int, socket.socket, bytes]] = []
        self._numbers = count()
        self._ends: dict[tuple[bytes, bytes, int, int], tuple[bytes, bytes]] = {}  # what ends a connection, at one side
        self._greeted: set[tuple[bytes, bytes, int, int]] = set()
        self._printed = 0.0
        self.attacking = False
        self.counts: Counter[str] = Counter()

    @staticmethod
    def _socket(port: str) -> socket.socket:
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL))
        wire.setsockopt(SOL_PACKET, VNET_HDR, 1)
        wire.bind((port, ALL))
        return wire

    def go_on(self) -> bool:
        """Take what has arrived and pass on what is due; returns whether there may be more."""
        wait = self._under_way[0][0] - time.monotonic() if self._under_way else 0.5
        ready = select.select([*self._sockets, sys.stdin], [], [], max(0.0, wait))[0]
        for port in self._sockets:
            if port in ready:
                self._take(port)
        while self._under_way and self._under_way[0][0] <= time.monotonic():
            _, _, to, frame = heappop(self._under_way)
            to.send(frame)
        if sys.stdin in ready and not self._told(sys.stdin.readline().strip()):
            return False
        if time.monotonic() >= self._printed + 0.5:
            self._printed = time.monotonic()
            print(json.dumps({**self.counts, "greeted": len(self._greeted)}), flush=True)
        return True

    def _told(self, line: str) -> bool:
        if line == "attack":
            self.attacking = True
            for frame, ends in list(self._ends.values()):
                self._forge("resets", frame, ends)
        elif line == "rest":
            self.attacking = False
        return line in ("attack", "rest")

    def _take(self, port: socket.socket) -> None:
        data, address = port.recvfrom(65_536)
        frame = data[len(AS_IS) :]
        if address[2] == OUTGOING or len(frame) < 14:
            return
        self._behind[frame[6:12]] = port
        known = self._behind.get(frame[:6])
        for to in self._sockets if known is None else [known]:
            if to is not port:
                way = FAR if self._sockets[0] in (port, to) else WAY
                heappush(self._under_way, (time.monotonic() + way, next(self._numbers), to, data))
        if frame[12:14] == b"\x08\x00":
            self._see(frame[:14], frame[14:])

    def _see(self, ethernet: bytes, ip: bytes) -> None:
        """Answer a packet in the name of its receiver."""
        ip, at = ip[: int.from_bytes(ip[2:4], "big")], 4 * (ip[0] & 15)
        ports = struct.unpack_from(">HH", ip, at)
        if MEMBERS not in ports:
            return
        if ip[9] == socket.IPPROTO_UDP and self.attacking:
            self._forge("refusals", ethernet, refusal(ip))
        elif ip[9] == socket.IPPROTO_TCP:
            self._see_segment(ethernet, ip[12:16], ip[16:20], ports, ip[at:])

    def _see_segment(
        self, ethernet: bytes, source: bytes, destination: bytes, ports: tuple[int, int], segment: bytes
    ) -> None:
        seq, ack = struct.unpack_from(">II", segment, 4)
        flags, size = segment[13], len(segment) - 4 * (segment[12] >> 4)
        connection, back = (source, destination, *ports), (ports[1], ports[0])
        if flags & (RST | FIN):
            self._ends.pop(connection, None)
        elif flags & SYN and not flags & ACK:
            if self.attacking:
                self._forge("resets", ethernet, reset(destination, source, back, 0, seq + 1))
        else:
            ends = reset(destination, source, back, ack, None)
            self._ends[connection] = ethernet, ends
            if size and ports[1] == MEMBERS:
                self._greeted.add(connection)
            if self.attacking:
                self._forge("resets", ethernet, ends)

    def _forge(self, what: str, ethernet: bytes, ip: bytes) -> None:
        """Send back a packet to where a frame came from."""
        destination, source = ethernet[:6], ethernet[6:12]
        if destination != BROADCAST and source in self._behind:
            self._behind[source].send(AS_IS + source + destination + ethernet[12:] + ip)
            self.counts[what] += 1


def main() -> None:
    """Until the standard input ends, or has another line."""
    wire = Wire(sys.argv[1:])
    while wire.go_on():
        pass


if __name__ == "__main__":
    main()
