"""From any thread into an event loop, with a bounded wait: a question is answered in the loop, or not at all."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from .drivers import current_driver

__all__ = ["Crossing"]

T = TypeVar("T")


class Crossing:
    """The way into the event loop in which it is made.

    Raises:
        RuntimeError: outside an event loop.
    """

    def __init__(self) -> None:
        self._loop = current_driver()

    def ask(self, question: Callable[[], T], timeout: float) -> T:
        """Call ``question``, which must not wait, in the loop and return what it returns, or raise what it raises.

        Args:
            question: called at once if the caller is in that loop already.
            timeout: seconds to wait for the loop to get to it. After that the question is withdrawn.

        Raises:
            TimeoutError: if the loop did not get to it, or has ended.
        """
        if self._loop.is_current():
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
            if answer.cancel():
                raise
            return answer.result()  # the loop is at it, and would do it although it was withdrawn

    def tell(self, function: Callable[[], object]) -> None:
        """Have ``function``, which must not raise, called in the loop soon; a loop that has ended won't."""
        self._loop.post(function)
