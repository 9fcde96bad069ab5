"""Commands on standard input: splits the stream into lines and parses each line."""

import json
import shlex
from typing import TypeAlias

import msgspec

__all__ = [
    "HELP",
    "Broadcast",
    "Command",
    "CommandError",
    "Help",
    "Leave",
    "Lines",
    "Members",
    "Metadata",
    "Ping",
    "Send",
    "Why",
    "parse",
]

HELP = (
    ("members", "who is there"),
    ("why NAME", "what a member is seen as, and why"),
    ("ping NAME", "how long it takes to answer"),
    ("broadcast TEXT", "tell all members"),
    ("send NAME TEXT", "tell one member"),
    ("metadata [KEY=VALUE ...]", "change it (KEY= takes one away)"),
    ("leave, quit", "say goodbye and end"),
    ("help, ?", "this list"),
)
"""The commands, and what they do."""
USAGE = "write: broadcast TEXT, send NAME TEXT, members, leave, or help for all"
MAX_LINE = 65_536  # bytes: more than any payload, so that a stream without newlines can't fill the memory


class CommandError(ValueError):
    """A line that is not a command; the message says what commands look like."""


class Broadcast(msgspec.Struct, frozen=True):
    """``broadcast TEXT``: send a message to every member."""

    payload: bytes


class Send(msgspec.Struct, frozen=True):
    """``send NAME TEXT``: send a message to one member. Names with spaces need double quotes, as in JSON."""

    name: str
    payload: bytes


class Members(msgspec.Struct, frozen=True):
    """``members``: list the live members."""


class Leave(msgspec.Struct, frozen=True):
    """``leave``: say goodbye and end."""


class Help(msgspec.Struct, frozen=True):
    """``help`` or ``?``: list the commands."""


class Why(msgspec.Struct, frozen=True):
    """``why NAME``: explain how a member is seen, and on what evidence. The name is bare, or quoted as for `Send`."""

    name: str


class Ping(msgspec.Struct, frozen=True):
    """``ping NAME``: ping a member, with its name as for `Why`."""

    name: str


class Metadata(msgspec.Struct, frozen=True):
    """``metadata KEY=VALUE ...``: change metadata; an empty value removes a key. Quotes work as in a shell."""

    changes: dict[str, str]


Command: TypeAlias = Broadcast | Send | Members | Leave | Help | Why | Ping | Metadata


def parse(line: bytes) -> Command | None:
    """The command on a line, or None if the line is blank. Text is passed on as the bytes that it is.

    Raises:
        CommandError: if the line is not a command.
    """
    if len(line) > MAX_LINE:
        raise CommandError(f"a line may have at most {MAX_LINE} bytes")
    verb, _, rest = line.removesuffix(b"\n").removesuffix(b"\r").lstrip().partition(b" ")
    match verb.rstrip():
        case b"":
            return None
        case b"broadcast" if rest:
            return Broadcast(rest)
        case b"send" if rest:
            return _send(rest.lstrip())
        case b"members" if not rest.strip():
            return Members()
        case b"leave" | b"quit" if not rest.strip():
            return Leave()
        case b"help" | b"?" if not rest.strip():
            return Help()
        case b"why" if rest.strip():
            return Why(_whole_name(rest))
        case b"ping" if rest.strip():
            return Ping(_whole_name(rest))
        case b"metadata":
            return _metadata(rest)
        case word:
            raise CommandError(f"{word.decode(errors='replace')!r} is not a command, or not complete; {USAGE}")


def _whole_name(rest: bytes) -> str:
    """The name that makes up the rest of the line, bare or in double quotes."""
    text = rest.decode(errors="replace").strip()
    if not text.startswith('"'):
        return text
    try:
        return str(json.loads(text))
    except ValueError:
        raise CommandError(f"the name has no closing quote, or is followed by more; {USAGE}") from None


def _metadata(rest: bytes) -> Metadata:
    try:
        words = shlex.split(rest.decode(errors="replace"))
    except ValueError as error:
        raise CommandError(f"metadata: {error}; {USAGE}") from None
    pairs = [word.partition("=") for word in words]
    if not all(key and equals for key, equals, _ in pairs):
        raise CommandError(f"metadata takes KEY=VALUE; {USAGE}")
    return Metadata({key: value for key, _, value in pairs})


def _send(rest: bytes) -> Send:
    if not rest.startswith(b'"'):
        name, _, payload = rest.partition(b" ")
        return Send(_named(name.decode(errors="replace"), payload), payload)
    text = rest.decode(errors="surrogateescape")
    try:
        name_text, end = json.JSONDecoder().raw_decode(text)
    except ValueError:
        raise CommandError(f"the name has no closing quote; {USAGE}") from None
    payload = text[end:].removeprefix(" ").encode(errors="surrogateescape")
    return Send(_named(str(name_text), payload), payload)


def _named(name: str, payload: bytes) -> str:
    if not name or not payload:
        raise CommandError(f"send needs a name and a text; {USAGE}")
    return name


class Lines:
    """Cuts a stream of bytes into lines. A line that is too long comes out truncated, but still too long to `parse`."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that ``data`` completes, without their newline; ``b""`` is the end of the stream."""
        if not data:
            last, self._rest = self._rest, bytearray()
            return [bytes(last)] if last else []
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[: MAX_LINE + 1]
        return [bytes(line) for line in lines]
