"""One member as a process: events on standard output, commands on standard input, a goodbye at the end."""

import logging
import os
import signal
import sys
import threading
import time
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING

import anyio
import msgspec
from anyio.abc import TaskGroup

from swim_core import LeaveOrdered, NodeCrashed

from ..node import AsyncNode
from ..opening import open_node
from . import records, text
from .console import Console
from .notify import READY, STOPPING, take_address, tell
from .output import Output
from .settings import NodeSettings
from .signals import watch_signals
from .stdin import ignore_terminal_stops, serve_lines

if TYPE_CHECKING:
    from .handlers import Handlers, On
    from .web.agent_pages import AgentPages

__all__ = ["AgentSettings", "run_agent"]

OUTPUT_PATIENCE = 0.25  # seconds for a slow reader to take the last line
MANAGER_PATIENCE = 0.25  # seconds for a service manager, which must not delay the goodbye
INTERRUPTED = 128 + signal.SIGINT  # the status that shells give a process that Ctrl-C ended


class AgentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of an agent, from the command line.

    Attributes:
        node: those of its node.
        json: whether it prints JSON.
        peers: a file that remembers members, if any.
        http: where to serve the pages, if anywhere.
        backend: the event loop, in anyio's words.
        on: the command to run for events, if any, and for which.
        lifeline: the reading end of a pipe; when the writing end closes, the agent leaves. It is for parents that must
            not leave agents behind, however they die.
    """

    node: NodeSettings
    json: bool
    peers: str | None
    http: tuple[str, int] | None
    backend: str
    on: "On | None"
    lifeline: int | None


class _Ending:
    """Why the agent should leave. Only the first reason counts."""

    def __init__(self) -> None:
        self._said = anyio.Event()
        self.reason = ""
        self.status = 0

    def say(self, reason: str, status: int = 0) -> None:
        if not self._said.is_set():
            self.reason, self.status = reason, status
            self._said.set()

    def signalled(self, number: signal.Signals) -> None:
        self.say(number.name, INTERRUPTED if number is signal.SIGINT else 0)

    async def wait(self) -> None:
        await self._said.wait()


async def run_agent(settings: AgentSettings) -> int:
    """Run one member until it is told to leave; returns the exit status.

    Raises:
        SwimError: as `open_node`; nothing is left behind.
        OSError: as `open_node`; or, after the goodbye, if nothing could be written to the output (a full disk).
    """
    ending = _Ending()
    manager = take_address()
    output = Output(sys.stdout.fileno(), _renderer(settings.json))
    opened = _node(settings.node)
    async with _pages(settings) as pages, opened as node:
        name = node.local.name
        if pages is not None:
            pages.observe(node)
        ignore_terminal_stops()
        async with anyio.create_task_group() as tasks:
            await tasks.start(watch_signals, ending.signalled, node._engine.reload_keys)
            tasks.start_soon(tell, manager, READY)  # from here on signals are obeyed, and the pages are served
            _start_tasks(tasks, settings, node, output, pages, ending)
            await ending.wait()
            tasks.cancel_scope.cancel()
        with anyio.move_on_after(MANAGER_PATIENCE):
            await tell(manager, STOPPING)
    with anyio.move_on_after(OUTPUT_PATIENCE):
        await output.write(records.stopped(name, ending.reason, t=time.time()))
    if output.failure is not None:
        raise output.failure
    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        logging.shutdown()
        os._exit(ending.status)  # asyncio would wait for a file system that hangs, which nothing can cancel
    return ending.status


def _node(settings: NodeSettings) -> AbstractAsyncContextManager[AsyncNode]:
    return open_node(
        settings.bind,
        name=settings.name,
        join=settings.join,
        config=settings.config,
        advertise=settings.advertise,
        metadata=settings.metadata,
        discover=settings.discover,
        keys=settings.keys,
        key_file=settings.key_file,
        insecure=settings.insecure,
        driver=None if "SWIM_DRIVER" in os.environ else "loop",  # no foreign code here: see architecture.md
    )


def _start_tasks(
    tasks: TaskGroup,
    settings: AgentSettings,
    node: AsyncNode,
    output: Output,
    pages: "AgentPages | None",
    ending: _Ending,
) -> None:
    """Start all that the agent does beside its node: it prints events, obeys commands, and notices its end."""
    handlers = None
    if settings.on is not None:
        from .handlers import Handlers

        handlers = Handlers(settings.on, node.local.name)
        tasks.start_soon(handlers.serve)
    tasks.start_soon(_report, node, output, pages, handlers, ending)
    tasks.start_soon(_watch_output, output, ending)
    if sys.stdin is not None:
        console = Console(node, output, lambda: ending.say("leave"), confirms=sys.stdin.isatty())
        tasks.start_soon(serve_lines, sys.stdin.fileno(), console.obey, console.obey_at_once)
    if settings.peers is not None:
        from .peers import keep_peers

        seeds = bool(settings.node.join or settings.node.config.seeds or os.environ.get("SWIM_JOIN"))
        tasks.start_soon(partial(keep_peers, node, settings.peers, seeds=seeds))
    if settings.lifeline is not None:
        tasks.start_soon(_watch_lifeline, settings.lifeline, ending)


def _renderer(json: bool) -> text.Renderer:
    if json:
        return records.to_json
    return text.terminal_renderer(sys.stdout.fileno()) if sys.stdout.isatty() else text.plain


def _pages(settings: AgentSettings) -> "AbstractAsyncContextManager[AgentPages | None]":
    """They open before the node does, so that an address that can't be bound is reported before others hear of the
    node."""
    if settings.http is None:
        return nullcontext()
    from .web.agent_pages import AgentPages  # takes a while to import, and needs an extra

    node = settings.node
    return AgentPages(
        *settings.http,
        settings.backend,
        keys=node.keys,
        key_file=node.key_file,
        label=getattr(node.config, "cluster", ""),
        policy=getattr(node.config, "answer_tools", "loopback"),
    )


async def _report(
    node: AsyncNode, output: Output, pages: "AgentPages | None", handlers: "Handlers | None", ending: _Ending
) -> None:
    metrics = None if pages is None else pages.address
    await output.write(records.started(node.local, t=time.time(), metrics=metrics, sealed=node.statistics().sealed))
    with node.subscribe(current=True) as events, suppress(NodeCrashed):  # that, `open_node` raises itself
        async for event in events:
            if isinstance(event, LeaveOrdered):
                ending.say("told to leave by a tool")
            record = records.from_event(event, t=time.time())
            if record is not None:
                if handlers is not None:
                    handlers.take(record)
                await output.write(record)


async def _watch_output(output: Output, ending: _Ending) -> None:
    await output.wait_closed()
    ending.say("output closed")


async def _watch_lifeline(fd: int, ending: _Ending) -> None:
    await anyio.wait_readable(fd)  # nobody writes to the pipe, so this is its end
    ending.say("lifeline closed")
