"""`swim join`: gives a running member more seeds."""

import time
from typing import cast

from swim_anyio.command.records import to_json
from swim_core import Address, SwimError
from swim_core.embedding.host_port import read_seeds
from swim_core.native.wire.answers import Joined
from swim_core.native.wire.queries import What, pack_addresses

from .asking import ask_once, resolve_host
from .reading import asked_record
from .writing import write

__all__ = ["run_join"]


def run_join(join: str | None, cluster: str | None, seeds: list[str], *, json: bool) -> int:
    """Have a running member ask these seeds, too.

    Raises:
        SwimError: if the member refuses; otherwise as `run_members`.
    """
    addresses: dict[Address, None] = {}
    for host, port in read_seeds("ADDR", seeds):
        addresses |= dict.fromkeys(resolve_host(host, port))
    joined = cast(Joined, ask_once(join, cluster, What.JOIN, pack_addresses(addresses))[-1])
    if joined.seeds is None:
        raise SwimError(f"{joined.teller.name} refuses: {joined.refusal}")
    if json:
        record = {"t": time.time(), "event": "join", "asked": asked_record(joined.teller)}
        write(to_json({**record, "addresses": [str(address) for address in addresses], "seeds": joined.seeds}))
    else:
        what = ", ".join(map(str, addresses))
        write(f"{joined.teller.name} is asking {what} and has {joined.seeds} seed{'s' * (joined.seeds != 1)} now.")
    return 0
