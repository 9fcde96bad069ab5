"""`swim keys status`: how far a rotation has got, as each member tells itself."""

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import cast

import anyio

from swim_anyio.command.tools.asking import Target, ask, ask_each, read_target
from swim_anyio.command.tools.writing import columns, write
from swim_core.address import Address, unpack
from swim_core.native.wire.answers import KeysPage, MembersPage
from swim_core.native.wire.queries import What

__all__ = ["ask_for_keys", "run_status"]


def run_status(join: str | None, cluster: str | None) -> int:
    """Ask all members for the ids of their keys; returns 0 if all prefer the same.

    Raises:
        NoAnswer: if the member to begin with does not answer.
        ConfigError: if an option or a variable is invalid.
    """
    return anyio.run(partial(_run, read_target(join, cluster)), backend="asyncio")


async def _run(target: Target) -> int:
    pages = cast("list[MembersPage]", await ask(target, What.MEMBERS))
    members = {row.claim.name: unpack(row.claim.address) for page in pages for row in page.rows}
    found = await ask_for_keys(target, members)
    write(columns(("NAME", "ADDRESS", "PREFERS", "OPENS", "PLAIN"), (_row(name, members, found) for name in found)))
    return _summary(found)


async def ask_for_keys(target: Target, members: Mapping[str, Address]) -> dict[str, KeysPage | None]:
    """What each member says about its keys, by name; None for those that don't answer."""
    answers = await ask_each(target, members, What.KEYS)
    return {name: None if pages is None else cast(KeysPage, pages[-1]) for name, pages in answers.items()}


def _row(name: str, members: dict[str, Address], found: dict[str, KeysPage | None]) -> tuple[str, ...]:
    page = found[name]
    if page is None:
        return name, str(members[name]), "no answer", "-", "-"
    ids = [f"{held:08x}" for held in page.held]
    return name, str(members[name]), ids[0] if ids else "none", " ".join(ids[1:]) or "-", _plain(page)


def _plain(page: KeysPage) -> str:
    return f"accepted, {page.plain} speak it" if page.accepts_plain else "refused"


def _summary(found: dict[str, KeysPage | None]) -> int:
    preferred = Counter(page.held[0] if page.held else None for page in found.values() if page is not None)
    key, count = preferred.most_common(1)[0] if preferred else (None, 0)
    what = "have no key" if key is None else f"prefer {key:08x}"
    if count == len(found):
        write(f"all {count} {what}")
        return 0 if key is not None else 1
    silent = sum(page is None for page in found.values())
    write(f"{count} of {len(found)} {what}" + (f", {silent} did not answer" if silent else ""))
    return 1
