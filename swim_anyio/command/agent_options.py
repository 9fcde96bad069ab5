"""The options of `swim agent`: their names, types and defaults, whoever reads them from the command line."""

import msgspec

from .choices import AnswerTools, Backend, Discovery, Format, LogLevel, Preset, Protocol

__all__ = ["AgentOptions"]


class AgentOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What was typed after ``swim agent``, in the order of its help. `app` says what each option means.

    asyncio is the default because it starts sooner than trio, takes less memory, and costs less per datagram.
    """

    bind: str | None = None
    join: list[str] | None = None
    name: str | None = None
    advertise: str | None = None
    metadata: list[str] | None = None
    cluster: str | None = None
    discover: Discovery | None = None
    protocol: Protocol = Protocol.NATIVE
    preset: Preset | None = None
    probe_interval: float | None = None
    stall_tolerance: float | None = None
    max_broadcast: int | None = None
    no_tripwires: bool = False
    answer_tools: AnswerTools | None = None
    key_file: str | None = None
    accept_plain: bool = False
    insecure: bool = False
    backend: Backend = Backend.ASYNCIO
    format: Format = Format.TEXT
    log_level: LogLevel = LogLevel.WARNING
    log_format: Format = Format.TEXT
    peers: str | None = None
    http: str | None = None
    metrics: str | None = None
    on: tuple[str, str] | None = None
    lifeline: int | None = None
