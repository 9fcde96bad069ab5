"""Records in words, for people: a local time, what happened, and to whom, in one line an event.

Names, metadata and payloads come from the network, so nothing in them may move a cursor or change a
colour: whatever is not printable is written as an escape, and styles are applied to whole pieces, never
found by parsing markup.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias, cast

from .records import Record

__all__ = ["Piece", "Renderer", "pieces", "plain", "printable", "terminal_renderer"]

Piece: TypeAlias = tuple[str, str]
"""A piece of text and its style, in rich's words ("" for none)."""

Renderer: TypeAlias = Callable[[Record], bytes]

STYLES = {
    "started": "bold green",
    "alive": "green",
    "suspect": "yellow",
    "dead": "bold red",
    "left": "blue",
    "broadcast": "cyan",
    "message": "cyan",
    "conflict": "bold red",
    "regained": "bold green",
    "isolated": "bold yellow",
    "paused": "yellow",
    "elsewhere": "bold yellow",
    "narrow": "bold yellow",
    "clocks": "bold yellow",
    "met": "bold yellow",
    "lost": "yellow",
    "error": "bold red",
    "stopped": "bold",
}

RULES = {
    "suspicion": "silent, as another member confirms",
    "gone": "its address refuses datagrams",
    "silent": "silent for the stall tolerance, as others confirm",
    "host_gone": "its host is silent too",
    "left": "it said goodbye",
    "restarted": "a newer run took its place",
    "isolated": "this node hears nobody",
}


def rule_words(rule: str) -> str:
    """What a rule means, by its name in small letters; a newer release may know others."""
    return RULES.get(rule, f"by {rule.replace('_', ' ')}, of which only a newer release knows more")


def printable(text: str) -> str:
    """``text`` with whatever could act on a terminal written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def pieces(record: Record) -> list[Piece]:
    """A record in words, without a newline at the end; `members` has a line for each."""
    event = str(record["event"])
    clock = time.strftime("%H:%M:%S", time.localtime(cast(float, record["t"])))
    return [(f"{clock}  ", "dim"), (f"{event:<10} ", STYLES.get(event, "")), (printable_lines(_words(record)), "")]


def plain(record: Record) -> bytes:
    """A record as a line without colours."""
    return "".join(text for text, _ in pieces(record)).encode(errors="backslashreplace") + b"\n"


def terminal_renderer(fd: int) -> Renderer:
    """What renders for a terminal, with colours where the terminal and ``NO_COLOR`` allow."""
    from io import StringIO

    from rich.console import Console
    from rich.text import Text

    with open(fd, "w", closefd=False) as terminal:  # only to be asked what it can show
        system = Console(file=terminal).color_system
    if system is None:
        return plain
    console = Console(file=StringIO(), force_terminal=True, color_system=cast(Any, system), highlight=False)

    def render(record: Record) -> bytes:
        with console.capture() as capture:
            console.print(Text.assemble(*pieces(record)), soft_wrap=True)
        return capture.get().encode(errors="backslashreplace")

    return render


def printable_lines(lines: Iterable[str]) -> str:
    """Lines joined, each made printable and all but the first indented below it."""
    return f"\n{'':21}".join(printable(line) for line in lines)


def _words(record: Mapping[str, Any]) -> list[str]:
    event, member, address = record["event"], record.get("member"), record.get("address")
    match event:
        case "started" if "metrics" in record:
            return [f"{member} at {address}, metrics at http://{record['metrics']}/metrics"]
        case "started" | "forgotten":
            return [f"{member} at {address}"]
        case "alive" | "updated":
            return [f"{member} at {address}{_labels(record)}"]
        case "suspect" | "dead" | "left":
            return [f"{member}{_reason(record)}"]
        case "broadcast" | "message":
            return [f"{member}: {record['data'] if 'data' in record else record['data_base64'] + ' (base64)'}"]
        case "conflict":
            return [f"another process at {address} is called {member}: this one keeps silent until that one is gone"]
        case "regained":
            return [f"the other process that is called {member} is gone: this one is a member again"]
        case "clocks":
            days, which = abs(record["seconds"]) / 86_400, "ahead" if record["seconds"] > 0 else "behind"
            return [
                f"the cluster of {record['address']} is {days:.1f} days {which}: set the clocks, restart its members"
            ]
        case "met":
            return [
                f"clusters formed apart have met: {record['members']} members here, {record['their_members']} with"
                f" {record['their_address']}; if they should not be one, give each a label (--cluster)"
            ]
        case "elsewhere":
            return [f"seen at {record['seen']} by {record['by']}, not at {record['claimed']} (--advertise)"]
        case "narrow":
            return [f"more than {record['size']} bytes do not get through to {record['address']} (max_datagram)"]
        case "isolated":
            return ["no member was heard for the stall tolerance: the trouble is likely here"]
        case "reconnected":
            return ["members are heard again"]
        case "paused":
            return [f"this process did not run for {record['seconds']:.1f} s: others may have held it dead"]
        case "lost" if member is not None:
            return [f"{record['count']} broadcasts of {member}: nobody has them any more"]
        case "lost" if "reason" in record:
            return [f"{record['count']} lines: standard output took none of them ({record['reason']})"]
        case "lost":
            return [f"{record['count']} events: they came faster than they were read"]
        case "members":
            rows = record["members"]
            return [f"{len(rows)} live", *(f"{m['name']} at {m['address']}, {m['state']}{_labels(m)}" for m in rows)]
        case "stopped":
            return [f"{member} ({record['reason']})"]
        case _:
            return [str(record.get("reason", ""))]


def _labels(row: Mapping[str, Any]) -> str:
    return "".join(f", {key}={value}" for key, value in row.get("metadata", {}).items())


def _reason(record: Mapping[str, Any]) -> str:
    rule = record.get("rule")
    if rule is None or rule == record["event"]:
        return ""
    return f": {rule_words(rule)} (says {record['accuser']})"
