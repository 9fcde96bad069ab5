"""A small chat over broadcasts.

    python docs/examples/chat.py ann                                            # first terminal
    python docs/examples/chat.py bob --bind 127.0.0.1:0 --join 127.0.0.1:7946   # second

What you type, all others read; Ctrl-C or Ctrl-D leaves. With `--protocol smudge` it speaks the protocol of Smudge,
and Go programs that use it can take part (its ports are 9999 for members, 9998 for finding them by multicast):

    python docs/examples/chat.py ann --protocol smudge
    python docs/examples/chat.py bob --protocol smudge --bind 127.0.0.1:0 --join 127.0.0.1:9999
"""

import argparse
import sys
import threading
from collections.abc import Sequence

import swim_threads
from swim_core import (
    BroadcastReceived,
    Config,
    EventsLost,
    MemberDied,
    MemberJoined,
    MemberLeft,
    MemberRecovered,
    ProtocolConfig,
    SwimError,
)
from swim_core.smudge import SmudgeConfig


def listen(events: swim_threads.Subscription) -> None:
    """Print what happens until the subscription is closed. Suspicions pass or end in a death, so they get no line."""
    for event in events:
        match event:
            case BroadcastReceived(payload=payload):
                print(printable(payload.decode(errors="replace")))
            case MemberJoined(member=member) | MemberRecovered(member=member):
                print(f"* {member.name} is here")
            case MemberDied(member=member):
                print(f"* {member.name} is gone")
            case MemberLeft(member=member):
                print(f"* {member.name} has left")
            case EventsLost(count=count):
                print(f"* {count} lines were lost: this terminal is too slow")


def printable(text: str) -> str:
    """The text without control codes, with which a sender could manipulate this terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def talk(node: swim_threads.ThreadNode, nick: str) -> None:
    """Say every line of standard input, until it ends."""
    for line in sys.stdin:
        if line.strip():
            try:
                # The nick travels in the text: under Smudge's protocol members are called by their addresses.
                node.broadcast(f"{nick}: {line.strip()}".encode(errors="replace"))
            except SwimError as error:  # PayloadTooLarge: a broadcast has at most 256 bytes
                print(f"* {error}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and chat."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nick", help="who you are")
    parser.add_argument("--bind", help="HOST:PORT to listen on; port 0 takes a free one (127.0.0.1:7946)")
    parser.add_argument("--join", help="HOST:PORT of somebody who is there")
    parser.add_argument("--protocol", choices=["native", "smudge"], default="native")
    options = parser.parse_args(arguments)
    bind, name = options.bind, options.nick
    try:
        config: ProtocolConfig = Config.from_env()
        if options.protocol == "smudge":
            config = smudge = SmudgeConfig.from_env()
            bind, name = bind or (smudge.listen_ip, smudge.listen_port), None
        with swim_threads.open_node(bind, name=name, join=options.join, config=config) as node:
            print(f"* {node.local.name} at {node.local.address}: type away")
            # `current` begins with those who are there already: one may have joined since open_node returned.
            with node.subscribe(current=True) as events:
                threading.Thread(target=listen, args=[events]).start()
                talk(node, options.nick)
    except KeyboardInterrupt:
        pass
    except SwimError as error:  # the port is in use, the nick can't be a name ..
        sys.exit(f"chat: {error}")


if __name__ == "__main__":
    main()
