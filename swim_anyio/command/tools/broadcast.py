"""`swim broadcast`: a text that a member broadcasts on behalf of whoever typed it."""

import os
import time
from typing import cast

from swim_anyio.command.records import to_json
from swim_core import SwimError
from swim_core.native.wire.queries import Spoken, What

from .asking import ask_once
from .reading import asked_record
from .writing import write

__all__ = ["run_broadcast"]


def run_broadcast(join: str | None, cluster: str | None, text: str, *, json: bool) -> int:
    """Let a member broadcast a text. Raises as `run_members`, and `SwimError` if the member refuses."""
    spoken = cast(Spoken, ask_once(join, cluster, What.BROADCAST, os.fsencode(text))[-1])
    if spoken.number is None:
        raise SwimError(f"{spoken.teller.name} does not broadcast it: {spoken.refusal}")
    if json:
        record = {"t": time.time(), "event": "broadcast", "asked": asked_record(spoken.teller)}
        write(to_json({**record, "number": spoken.number}))
    else:
        others = spoken.teller.live - 1
        write(f"{spoken.teller.name} tells {others} other member{'s' * (others != 1)}; its broadcast {spoken.number}.")
    return 0
