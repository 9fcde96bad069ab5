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
from collections.abc import Sequence

import swim_threads
from swim_core import BroadcastReceived, Config, Member, ProtocolConfig, State, SwimError
from swim_core.smudge import SmudgeConfig

NEWS = {State.ALIVE: "is here", State.DEAD: "is gone", State.LEFT: "has left"}


def hear(broadcast: BroadcastReceived) -> None:
    """Print what somebody said, but no control codes: whoever sends them would play with this terminal."""
    text = broadcast.payload.decode(errors="replace")
    print("".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text))


def notice(member: Member, state: State) -> None:
    """Print who comes and goes. Suspicions pass, or end in a death: they are not worth a line."""
    if state in NEWS:
        print(f"* {member.name} {NEWS[state]}")


def talk(node: swim_threads.ThreadNode, nick: str) -> None:
    """Say every line of standard input, until it ends."""
    for line in sys.stdin:
        if line.strip():
            try:
                # The nick travels in the text: under Smudge's protocol members are called by their addresses.
                node.broadcast(f"{nick}: {line.strip()}".encode())
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
            node.add_status_listener(notice)
            node.add_broadcast_listener(hear)
            talk(node, options.nick)
    except KeyboardInterrupt:
        pass
    except SwimError as error:  # the port is in use, the nick can't be a name ..
        sys.exit(f"chat: {error}")


if __name__ == "__main__":
    main()
