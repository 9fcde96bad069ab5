"""From any thread into an event loop, with a bound on the wait: a question is answered in the loop, or not at all."""

import asyncio
import sys
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

__all__ = ["Crossing"]

T = TypeVar("T")


class Crossing:
    """The way into the event loop in which it is made.

    Raises:
        RuntimeError: outside an event loop.
    """

    def __init__(self) -> None:
        trio = sys.modules.get("trio")  # asked first, as in `drivers`
        if trio is not None and trio.lowlevel.in_trio_task():
            self._soon: Callable[[Callable[[], object]], object] = trio.lowlevel.current_trio_token().run_sync_soon
            self._current: Callable[[], object] = trio.lowlevel.current_trio_token
            self._here: object = trio.lowlevel.current_trio_token()
        else:
            loop = asyncio.get_running_loop()
            self._soon, self._current, self._here = loop.call_soon_threadsafe, asyncio.get_running_loop, loop

    def ask(self, question: Callable[[], T], timeout: float) -> T:
        """Call ``question``, which must not wait, in the loop and return what it returns, or raise what it raises.

        Args:
            question: called at once if the caller is in that loop already.
            timeout: seconds to wait for the loop. After that the question is withdrawn.

        Raises:
            TimeoutError: if the loop did not come to it.
            RuntimeError: if the loop has ended.
        """
        if self._inside():
            return question()
        answer: Future[T] = Future()

        def respond() -> None:
            if answer.set_running_or_notify_cancel():
                try:
                    answer.set_result(question())
                except BaseException as error:
                    answer.set_exception(error)

        self.tell(respond)
        try:
            return answer.result(timeout)
        except TimeoutError:
            answer.cancel()
            raise

    def tell(self, function: Callable[[], object]) -> None:
        """Have ``function``, which must not raise, called in the loop soon.

        Raises:
            RuntimeError: if the loop has ended.
        """
        self._soon(function)

    def _inside(self) -> bool:
        try:
            return self._current() is self._here
        except RuntimeError:
            return False
