"""One process of `floor.py`: the least that a Python program must do to pass on broadcasts and to know of kills.

It knows all others beforehand, holds a connection to each, and pings one a second. It repairs nothing, and does not
scale. What our members do besides can be added: a thread of its own for the network, and a verdict that two places
have tested. With --ours it is a member of `swim_threads` instead.
"""

import argparse
import queue
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable

Say = Callable[[str, str], None]
HOST = "127.0.0.1"
TESTS = 20
WITNESSES = 4  # members that test a process whose connection to them has broken


def say(kind: str, what: str) -> None:
    """Print what has become known, and when."""
    print(time.time(), kind, what, flush=True)


class FloorMember:
    """The least there is to do.

    Args:
        me: its number.
        ports: those of all members, by number.
        tell: called with what has become known.
        verdicts: whether a process is dead only when two places have tested it, of which one tells all. Without that
            each member believes its own broken connection.
    """

    def __init__(self, me: int, ports: list[int], tell: Say, *, verdicts: bool) -> None:
        self._me = me
        self._ports = ports
        self._tell = tell
        self._verdicts = verdicts
        self._dead: set[int] = set()
        self._refused: set[int] = set()  # by this member's own tests
        self._seconded: set[int] = set()  # by another's
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind((HOST, ports[me]))
        self._udp.setblocking(False)
        self._listener = socket.create_server((HOST, ports[me]), backlog=len(ports))
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._udp, selectors.EVENT_READ, self._receive)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def broadcast(self, text: str) -> None:
        """Tell all others."""
        self._send_to_all(b"b" + text.encode())

    def run(self) -> None:
        """Connect to all before it, and go on until killed."""
        for number in range(self._me):
            connection = self._connect(number)
            connection.sendall(b"%4d" % self._me)
            self._hold(connection, number)
        due = time.monotonic() + 1.0
        while True:
            for key, _ in self._selector.select(max(0.0, due - time.monotonic())):
                key.data()
            if time.monotonic() >= due:
                due += 1.0
                self._udp.sendto(b"p" * 40, (HOST, self._ports[self._me - 1]))

    def _connect(self, number: int) -> socket.socket:
        while True:
            try:
                return socket.create_connection((HOST, self._ports[number]))
            except ConnectionRefusedError:
                time.sleep(0.01)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        self._hold(connection, int(connection.recv(4)))

    def _hold(self, connection: socket.socket, number: int) -> None:
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._broken(connection, number))
        self._tell("alive", str(number))

    def _send_to_all(self, data: bytes) -> None:
        for number, port in enumerate(self._ports):
            if number != self._me and number not in self._dead:
                self._udp.sendto(data, (HOST, port))

    def _receive(self) -> None:
        while True:
            try:
                data, source = self._udp.recvfrom(2048)
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                continue
            kind, rest = data[:1], data[1:]
            if kind == b"p":
                self._udp.sendto(b"a" * 32, source)
            elif kind == b"b":
                self._tell("broadcast", rest.decode())
            elif kind == b"v":
                self._seconded.add(int(rest))
                self._judge(int(rest))
            elif kind == b"d":
                self._believe(int(rest))

    def _broken(self, connection: socket.socket, number: int) -> None:
        self._selector.unregister(connection)
        connection.close()
        if not self._verdicts:
            self._believe(number)
        elif (number - self._me) % len(self._ports) <= WITNESSES and self._is_gone(number):
            self._refused.add(number)
            if self._me == self._judge_of(number):
                self._judge(number)
            else:
                self._udp.sendto(b"v%d" % number, (HOST, self._ports[self._judge_of(number)]))

    def _is_gone(self, number: int) -> bool:
        """Whether nobody takes a ping there, nor a connection: a kernel closes the sockets of a process one by one."""
        address = HOST, self._ports[number]
        for _ in range(TESTS):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ping, socket.socket() as test:
                ping.connect(address)
                ping.setblocking(False)
                try:
                    ping.send(b"p" * 40)
                    refused = test.connect_ex(address) != 0
                    ping.recv(64)
                except ConnectionRefusedError:
                    if refused:
                        return True
                except BlockingIOError:
                    pass
            time.sleep(0.001)
        return False

    def _judge_of(self, number: int) -> int:
        return (number - 1) % len(self._ports)

    def _judge(self, number: int) -> None:
        if number in self._refused and number in self._seconded and number not in self._dead:
            self._dead.add(number)
            self._send_to_all(b"d%d" % number)
            self._tell("dead", str(number))

    def _believe(self, number: int) -> None:
        if number not in self._dead:
            self._dead.add(number)
            self._tell("dead", str(number))


def obey(broadcast: Callable[[str], object]) -> None:
    """Broadcast each line of standard input."""
    for line in sys.stdin:
        broadcast(line.strip())


def run_floor(me: int, ports: list[int], *, thread: bool, verdicts: bool) -> None:
    """Be such a process; with ``thread`` another thread than the network's says what it has heard."""
    heard: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
    member = FloorMember(me, ports, (lambda *news: heard.put(news)) if thread else say, verdicts=verdicts)
    threading.Thread(target=obey, args=(member.broadcast,), daemon=True).start()
    if not thread:
        member.run()
    threading.Thread(target=member.run, daemon=True).start()
    while True:
        say(*heard.get())


def run_ours(me: int, ports: list[int]) -> None:
    """Be a member of `swim_threads`."""
    from swim_core import BroadcastReceived, Config, MemberDied, MemberJoined
    from swim_threads import open_node

    seeds = [f"{HOST}:{ports[0]}"] if me else []
    with open_node(f"{HOST}:{ports[me]}", name=str(me), join=seeds, config=Config.lan()) as node:
        threading.Thread(target=obey, args=(lambda text: node.broadcast(text.encode()),), daemon=True).start()
        with node.subscribe(current=True) as events:
            for event in events:
                if isinstance(event, BroadcastReceived):
                    say("broadcast", event.payload.decode())
                elif isinstance(event, MemberJoined):
                    say("alive", event.member.name)
                elif isinstance(event, MemberDied):
                    say("dead", event.member.name)


def main() -> None:
    """Run until killed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("me", type=int)
    parser.add_argument("ports", type=int, nargs="+")
    parser.add_argument("--thread", action="store_true")
    parser.add_argument("--verdicts", action="store_true")
    parser.add_argument("--ours", action="store_true")
    options = parser.parse_args()
    if options.ours:
        run_ours(options.me, options.ports)
    else:
        run_floor(options.me, options.ports, thread=options.thread, verdicts=options.verdicts)


if __name__ == "__main__":
    main()
