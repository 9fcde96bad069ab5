"""Somebody on the path of real members with everything but the key: `python path_attacker.py HOST...`, as root.

It hears every datagram that crosses this namespace, and sends a hundred a second under the members' addresses: what it
heard, again, elsewhere or damaged, forged deaths and runs in plain text, and joins under a key of its own; and it
connects to their ports. When its standard input ends it prints how many of each.
"""

import json
import select
import socket
import struct
import sys
import threading
import time
from collections import Counter, deque
from contextlib import suppress
from functools import partial
from random import Random

from swim_core import Address, Key, Keys, Rule, State
from swim_core.address import pack
from swim_core.native.cluster_clock import ClusterClock
from swim_core.native.sealing.ring import KeyRing
from swim_core.native.sealing.seal import Sealer
from swim_core.native.wire.claim import Claim, Verdict
from swim_core.native.wire.datagram import Codec, encode_item
from swim_core.native.wire.hashing import Hashes
from swim_core.native.wire.messages import Join

PORT = 7946
Heard = tuple[str, str, bytes]


def heard(frame: bytes) -> Heard | None:
    """The datagram between members in an Ethernet frame, if there is one."""
    if len(frame) < 42 or frame[12:14] != b"\x08\x00" or frame[23] != socket.IPPROTO_UDP:
        return None
    at = 14 + 4 * (frame[14] & 15)
    _, port, length, _ = struct.unpack_from(">HHHH", frame, at)
    if port != PORT:
        return None
    return socket.inet_ntoa(frame[26:30]), socket.inet_ntoa(frame[30:34]), frame[at + 8 : at + length]


def packet(source: str, destination: str, payload: bytes) -> bytes:
    """An IP packet of UDP; Linux fills in the checksum of the first, and the second needs none."""
    udp = struct.pack(">HHHH", PORT, PORT, 8 + len(payload), 0) + payload
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP, 0)
    return head + socket.inet_aton(source) + socket.inet_aton(destination) + udp


class Attacker:
    """Makes the datagrams that it sends."""

    def __init__(self, hosts: list[str]) -> None:
        self.random = Random(7)
        self.hosts = hosts
        self.recorded: deque[Heard] = deque(maxlen=20_000)
        self.counts: Counter[str] = Counter()
        self.hashes = Hashes("", 4)
        now = int(time.time() * 1000)
        sealer = Sealer(
            KeyRing(Keys([Key(bytes(range(100, 132)))]), ""), ClusterClock(now, 0.0), counter=1, most_runs=8
        )
        self.plain, self.other = Codec(self.hashes.label), Codec(self.hashes.label, sealer)

    def made(self) -> tuple[str, Heard] | None:
        """The next datagram, and what kind it is."""
        random, to = self.random, self.random.choice(self.hosts)
        if not self.recorded:
            return None
        source, destination, payload = random.choice(self.recorded)
        match random.randrange(6):
            case 0:
                return "again", (source, destination, payload)
            case 1:
                return "at once again", self.recorded[-1]
            case 2:
                return "elsewhere", (source, to, payload)
            case 3:
                at = random.randrange(len(payload))
                return "damaged", (source, destination, payload[:at] + bytes((payload[at] ^ 4,)) + payload[at + 1 :])
            case 4:
                return "plain", (source, to, self._claims())
            case _:
                join = Join(1, "mallory", 1_000, 4, 5_000, 1_200, padding=bytes(600))
                return "another key", (source, to, self.other.pack(2, 5, join, now=time.time()))

    def _claims(self) -> bytes:
        number = self.random.randrange(1, len(self.hosts) + 1)
        now = int(time.time() * 1000)
        claims = [
            Claim(f"m{number}", now + 60_000 << 16, pack(Address("10.77.0.250", PORT)), 0, State.ALIVE, b""),
            Claim(
                f"m{number}",
                now << 16,
                pack(Address(self.hosts[number - 1], PORT)),
                0,
                State.DEAD,
                None,
                Verdict(5, Rule.SILENT, now),
            ),
        ]
        return self.plain.pack(2, 5, None, [encode_item(claim) for claim in claims])

    def connect(self) -> None:
        """Open one connection and send nonsense."""
        with suppress(OSError), socket.create_connection((self.random.choice(self.hosts), PORT), 0.2) as sock:
            sock.sendall(self.random.choice((b"", b"SWIM\x02" + bytes(28), b"GET / HTTP/1.0\r\n\r\n")))
            self.counts["connections"] += 1


def _until_told(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


def main() -> None:
    """Listen, send, and report at the end."""
    attacker, ended = Attacker(sys.argv[1:]), threading.Event()
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    threading.Thread(target=partial(_until_told, ended), daemon=True).start()
    due, connecting = 0.0, 0.0
    while not ended.is_set():
        if select.select([wire], [], [], 0.005)[0] and (found := heard(wire.recv(65_536))) is not None:
            attacker.recorded.append(found)
            attacker.counts["heard"] += 1
        if time.monotonic() >= due:
            due = time.monotonic() + 0.01
            if (said := attacker.made()) is not None:
                kind, (source, destination, payload) = said
                with suppress(OSError):
                    out.sendto(packet(source, destination, payload), (destination, 0))
                    attacker.counts[kind] += 1
        if time.monotonic() >= connecting:
            connecting = time.monotonic() + 0.5
            threading.Thread(target=attacker.connect, daemon=True).start()
    print(json.dumps(attacker.counts), flush=True)


if __name__ == "__main__":
    main()
