"""The values that options take."""

from enum import StrEnum

__all__ = ["AnswerTools", "Backend", "Discovery", "Format", "LogLevel", "MemberState", "Preset", "Protocol"]


class Preset(StrEnum):
    """The presets of `Config`."""

    LOCAL = "local"
    LAN = "lan"
    WAN = "wan"


class AnswerTools(StrEnum):
    """Which tools a member answers, depending on where they ask from."""

    HOLDERS = "holders"
    LOOPBACK = "loopback"
    ANYONE = "anyone"
    NOBODY = "nobody"


class Backend(StrEnum):
    """The event loops that anyio runs on."""

    ASYNCIO = "asyncio"
    TRIO = "trio"


class Protocol(StrEnum):
    """The protocols that an agent can speak."""

    NATIVE = "native"
    SMUDGE = "smudge"


class Discovery(StrEnum):
    """How members find each other without seeds."""

    MULTICAST = "multicast"


class Format(StrEnum):
    """Output for people or for programs."""

    TEXT = "text"
    JSON = "json"


class MemberState(StrEnum):
    """The states of members."""

    ALIVE = "alive"
    SUSPECT = "suspect"
    DEAD = "dead"
    LEFT = "left"


class LogLevel(StrEnum):
    """The least urgent level that the agent logs to standard error."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
