"""Records in words, for people: one line for each event with the local time, what happened, and to whom.

Names, metadata and payloads come from the network, so nothing in them may move a cursor or change a colour. Unprintable
characters are written as escapes, and styles are applied to whole pieces, never found by parsing markup.
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
    "suspicion": "no answer for half the stall tolerance (another member confirms it)",
    "gone": "process ended without a goodbye (nobody listens on its port)",
    "silent": "no answer for the stall tolerance (other members confirm it)",
    "host_gone": "host unreachable",
    "left": "said goodbye",
    "restarted": "replaced by a newer run of the same name",
    "removed": "removed by an operator, after it had died",
    "isolated": "this node hears nobody, so it counts everybody as dead",
}


def rule_words(rule: str) -> str:
    """What happened, by the rule's name in lower case. A newer release may have rules that this one doesn't know."""
    return RULES.get(rule, f"{rule.replace('_', ' ')} (a rule that this release doesn't know)")


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
    """A renderer for a terminal, with colours where the terminal and ``NO_COLOR`` allow."""
    from io import StringIO

    from rich.console import Console
    from rich.text import Text

    with open(fd, "w", closefd=False) as terminal:  # opened only to ask what it can show
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
    """The lines for a record: what happened to a member, to this one or its cluster, or what a command asked for."""
    return _of_a_member(record) or _of_this_member(record) or _answer(record) or [str(record.get("reason", ""))]


def _of_a_member(record: Mapping[str, Any]) -> list[str]:
    member, address = record.get("member"), record.get("address")
    match record["event"]:
        case "forgotten":
            return [f"{member} at {address}"]
        case "alive" | "updated":
            return [f"{member} at {address}{_labels(record)}"]
        case "suspect" | "dead" | "left":
            return [f"{member}{_reason(record)}"]
        case "broadcast" | "message":
            return [f"{member}: {record['data'] if 'data' in record else record['data_base64'] + ' (base64)'}"]
        case "lost" if member is not None:
            return [f"{record['count']} broadcasts from {member}, which no member has any longer"]
        case _:
            return []


def _of_this_member(record: Mapping[str, Any]) -> list[str]:
    member, address = record.get("member"), record.get("address")
    match record["event"]:
        case "started":
            pages = f", pages at http://{record['metrics']}/" if "metrics" in record else ""
            sealed = {True: ", sealed", False: ", NOT SEALED", None: ""}[record.get("sealed")]
            return [f"{member} at {address}{pages}{sealed}"]
        case "conflict":
            return [f"another process at {address} is named {member} too: this one stays silent until that one is gone"]
        case "regained":
            return [f"the other process named {member} is gone: this one is a member again"]
        case "clocks":
            days, which = abs(record["seconds"]) / 86_400, "ahead" if record["seconds"] > 0 else "behind"
            return [f"the cluster at {address} is {days:.1f} days {which}: set the clocks and restart its members"]
        case "met":
            return [
                f"two separate clusters have met and become one: {record['members']} members here,"
                f" {record['their_members']} with {record['their_address']}; to keep them apart, give each a label"
                " (--cluster)"
            ]
        case "elsewhere":
            claimed = f"not at {record['claimed']} as it tells others (--advertise)"
            return [f"{record['by']} sees this member at {record['seen']}, {claimed}"]
        case "narrow":
            return [f"datagrams of more than {record['size']} bytes don't get through to {address} (max_datagram)"]
        case "isolated":
            return ["nobody was heard for the stall tolerance: this member is probably cut off"]
        case "reconnected":
            return ["other members are heard again"]
        case "paused":
            return [f"this process did not run for {record['seconds']:.1f} s: others may have declared it dead"]
        case "lost" if "reason" in record:
            return [f"{record['count']} lines that could not be written to standard output ({record['reason']})"]
        case "lost":
            return [f"{record['count']} events that came faster than they were read"]
        case "stopped":
            return [f"{member} ({record['reason']})"]
        case _:
            return []


def _answer(record: Mapping[str, Any]) -> list[str]:
    member, address = record.get("member"), record.get("address")
    match record["event"]:
        case "members":
            rows = record["members"]
            return [f"{len(rows)} live", *(f"{m['name']} at {m['address']}, {m['state']}{_labels(m)}" for m in rows)]
        case "sent":
            return [f"broadcast {record['number']} goes to {record['others']} other members"]
        case "pinged":
            took = record["round_trip"]
            return [f"{member} " + ("did not answer in time" if took is None else f"answered in {took * 1e3:.2f} ms")]
        case "metadata":
            return [f"{member}{_labels(record) or ' has none'}"]
        case "help":
            return ["", *(f"{command:<25} {what}" for command, what in record["commands"].items())]
        case "why":
            return [f"{member} at {address} is {record['state']}{_reason(record)}", *map(_seen, record["observations"])]
        case _:
            return []


def _labels(row: Mapping[str, Any]) -> str:
    return "".join(f", {key}={value}" for key, value in row.get("metadata", {}).items())


def _seen(one: Mapping[str, Any]) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime(one["t"]))
    again = f" ({one['count']} times)" if one["count"] > 1 else ""
    return f"{clock}  {one['observer']}  {one['what']}  {one['detail']}".rstrip() + again


def _reason(record: Mapping[str, Any]) -> str:
    rule = record.get("rule")
    if rule is None or rule == record["event"]:
        return ""
    return f": {rule_words(rule)}, says {record['accuser']}"
