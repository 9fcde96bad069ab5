"""`swim broadcast`: has a running member broadcast a message."""

import os
import time
from typing import cast

from swim_anyio.command.records import to_json
from swim_core import SwimError
from swim_core.native.wire.answers import Spoken
from swim_core.native.wire.queries import What

from .asking import ask_once
from .reading import asked_record
from .writing import write

__all__ = ["run_broadcast"]


def run_broadcast(join: str | None, cluster: str | None, text: str, *, json: bool) -> int:
    """Have a running member broadcast a text.

    Raises:
        SwimError: if the member refuses; otherwise as `run_members`.
    """
    spoken = cast(Spoken, ask_once(join, cluster, What.BROADCAST, os.fsencode(text))[-1])
    if spoken.number is None:
        raise SwimError(f"{spoken.teller.name} refuses to broadcast: {spoken.refusal}")
    if json:
        record = {"t": time.time(), "event": "broadcast", "asked": asked_record(spoken.teller)}
        write(to_json({**record, "number": spoken.number}))
    else:
        others = spoken.teller.live - 1
        write(
            f"{spoken.teller.name} is telling {others} other member{'s' * (others != 1)} (broadcast {spoken.number})."
        )
    return 0
