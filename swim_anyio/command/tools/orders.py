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
from .reading import asked_record, read_reasons
from .why import unknown
from .writing import write

__all__ = ["obeyed", "run_remove", "run_send"]


def run_send(join: str | None, cluster: str | None, name: str, text: str, *, json: bool) -> int:
    """Let a running member send a text to another one, in its own name.

    Raises:
        SwimError: if the member refuses; otherwise as `run_members`.
    """
    letter = pack_letter(os.fsencode(name).decode(errors="replace"), os.fsencode(text))
    done = _obeyed_for(join, cluster, What.SEND, letter, name)
    words = f"{done.teller.name} has sent it to {name}; nobody confirms that it arrived."
    _report(done, "send", name, words, json=json)
    return 0


def run_remove(join: str | None, cluster: str | None, name: str, *, json: bool) -> int:
    """Let a running member tell all that a dead one is gone for good.

    Raises:
        SwimError: if the member refuses; otherwise as `run_members`.
    """
    done = _obeyed_for(join, cluster, What.REMOVE, os.fsencode(name), name)
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


def _obeyed_for(join: str | None, cluster: str | None, what: What, argument: bytes, name: str) -> Done:
    """The answer of a member that did what it was told about another one.

    Raises:
        SwimError: if it refused; if it knows no member of that name, the error says where the names are.
    """
    done = cast(Done, ask_once(join, cluster, what, argument)[-1])
    if done.done is None:
        reasons = read_reasons(ask_once(join, cluster, What.REASON, os.fsencode(name)))
        if reasons.seen is None:
            raise SwimError(unknown(reasons, name))
    return obeyed(done)


def _report(done: Done, event: str, name: str, words: str, *, json: bool) -> None:
    record: dict[str, Any] = {"t": time.time(), "event": event, "asked": asked_record(done.teller), "member": name}
    write(to_json(record) if json else printable(words))
