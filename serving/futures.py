"""What comes of one future is the answer of another."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

__all__ = ["then"]

_Done = TypeVar("_Done")
_Answer = TypeVar("_Answer")


def then(
    done: Future[_Done],
    make: Callable[[_Done], _Answer],
    *,
    into: Future[_Answer] | None = None,
) -> Future[_Answer]:
    """A future of what *make* makes of a result; where there is an error, of that error.

    Parameters
    ----------
    done
        What is waited for.
    make
        Runs on the thread that resolves it.
    into
        The future to resolve; None = a new one.

    >>> first: Future[int] = Future()
    >>> second = then(first, str)
    >>> first.set_result(7)
    >>> second.result()
    '7'
    """
    answer: Future[_Answer] = Future() if into is None else into

    def pass_on(done: Future[_Done]) -> None:
        error = done.exception()
        if error is None:
            answer.set_result(make(done.result()))
        else:
            answer.set_exception(error)

    done.add_done_callback(pass_on)
    return answer
