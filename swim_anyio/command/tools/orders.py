"""`swim send` and `swim remove`: have a running member do something for one other."""

import os
import time
from typing import Any, cast

from swim_core import SwimError
from swim_core.native.wire.answers import Body, Done
from swim_core.native.wire.queries import What, pack_letter

from ..records import to_json
from ..text import printable
from .asking import ask_once
from .reading import asked_record
from .writing import write

__all__ = ["obeyed", "run_remove", "run_send"]


def run_send(join: str | None, cluster: str | None, name: str, text: str, *, json: bool) -> int:
    """Let a running member send a text to another one, in its own name.

    Raises:
        SwimError: if the member refuses; otherwise as `run_members`.
    """
    letter = pack_letter(os.fsencode(name).decode(errors="replace"), os.fsencode(text))
    done = obeyed(ask_once(join, cluster, What.SEND, letter)[-1])
    words = f"{done.teller.name} has sent it to {name}; nobody confirms that it arrived."
    _report(done, "send", name, words, json=json)
    return 0


def run_remove(join: str | None, cluster: str | None, name: str, *, json: bool) -> int:
    """Let a running member tell all that a dead one is gone for good.

    Raises:
        SwimError: if the member refuses; otherwise as `run_members`.
    """
    done = obeyed(ask_once(join, cluster, What.REMOVE, os.fsencode(name))[-1])
    words = f"{done.teller.name} tells all that {name} is gone for good; if it lives after all, it comes back."
    _report(done, "remove", name, words, json=json)
    return 0


def obeyed(answer: Body) -> Done:
    """The answer of a member that did as it was told.

    Raises:
        SwimError: if it refused.
    """
    done = cast(Done, answer)
    if done.done is None:
        raise SwimError(f"{done.teller.name} refuses: {done.refusal}")
    return done


def _report(done: Done, event: str, name: str, words: str, *, json: bool) -> None:
    record: dict[str, Any] = {"t": time.time(), "event": event, "asked": asked_record(done.teller), "member": name}
    write(to_json(record) if json else printable(words))
