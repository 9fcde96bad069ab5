"""Two members that a name first led to different places, and that are each complete by their own lights."""

from collections.abc import Callable
from functools import partial

import anyio
import pytest

import swim_anyio
import swim_threads
from support.names import Names
from support.waiting import SOON, until
from swim_anyio.opening import DriverName
from swim_core import Config

pytestmark = pytest.mark.sockets

QUICK = Config.local(join_backoff_max=1.0)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    it = Names()
    monkeypatch.setattr("socket.getaddrinfo", it.getaddrinfo)
    return it


def with_threads(names: Names) -> None:
    names.known = {"one": ["127.0.0.2"], "two": ["127.0.0.3"]}
    with swim_threads.open_node(("127.0.0.2", 0), name="a", config=QUICK) as a:
        port = a.local.address.port
        a.join([("one", port)])
        with swim_threads.open_node(("127.0.0.3", port), name="b", join=[("two", port)], config=QUICK) as b:
            names.wait_asked(4)
            assert (len(a.members()), len(b.members())) == (1, 1)
            names.known["one"] = ["127.0.0.2", "127.0.0.3"]
            a.wait_for_members(2, SOON)
            b.wait_for_members(2, SOON)


def with_anyio(names: Names, *, backend: str, driver: DriverName) -> None:
    open_node = partial(swim_anyio.open_node, config=QUICK, driver=driver)

    async def main() -> None:
        names.known = {"one": ["127.0.0.2"], "two": ["127.0.0.3"]}
        async with open_node(("127.0.0.2", 0), name="a") as a:
            port = a.local.address.port
            a.join([("one", port)])
            async with open_node(("127.0.0.3", port), name="b", join=[("two", port)]) as b:
                await until(lambda: len(names.asked) >= 4)
                assert (len(a.members()), len(b.members())) == (1, 1)
                names.known["one"] = ["127.0.0.2", "127.0.0.3"]
                with anyio.fail_after(SOON):
                    await a.wait_for_members(2)
                    await b.wait_for_members(2)

    anyio.run(main, backend=backend)


@pytest.mark.parametrize(
    "meet",
    [
        with_threads,
        *(
            partial(with_anyio, backend=backend, driver=driver)
            for backend in ("asyncio", "trio")
            for driver in ("thread", "loop")
        ),
    ],
)
def test_they_meet_once_the_name_stands_for_both(meet: Callable[[Names], None], names: Names) -> None:
    meet(names)
