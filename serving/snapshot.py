"""Saved states: why a server with a long history starts at once.

A state is a function of the log and of the model that it belongs to. It is saved now and then
and at the end, under the name of its history and its model; whatever does not fit is passed
over, and the next best start is taken: the bundle's own fold, or the first event.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from onward.data.errors import BundleError
from onward.data.store import History
from onward.serving.answers.base import Part, Seat
from onward.serving.answers.desk import FILLING, Answers
from onward.serving.bundle import Bundle
from onward.serving.refill import Refill
from onward.serving.state import State

__all__ = ["Snapshots"]

log = logging.getLogger(__name__)


class _File(msgspec.Struct):
    history: str
    state: bytes


class Snapshots:
    """The saved state of one history, in the state directory.

    Parameters
    ----------
    home
        The state directory.
    history
        The log that states are folded from.
    answerers
        Makes what predicts beside decisions; every state gets its own.
    """

    def __init__(
        self,
        home: Path,
        history: History,
        answerers: Callable[[], Iterable[Seat]] = tuple,
    ) -> None:
        self._path = home / "serving" / "state.msgpack"
        self._history = history
        self._answerers = answerers

    def save(self, state: bytes) -> None:
        """Keep a state in place of the last one; a crash leaves one of the two."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(f".{os.getpid()}")
        draft.write_bytes(msgspec.msgpack.encode(_File(self._history.identity, state)))
        draft.replace(self._path)

    def base(self, bundle: Bundle | None, predicting: Bundle | None, *, whole: bool) -> State:
        """The latest state of a model to go on from.

        Parameters
        ----------
        bundle
            The model that decides; None = counts.
        predicting
            Whose models answer questions; None = their trivial peers.
        whole
            Whether to count the records of the bundle's past too, which reads all of it.
            Without them the state is quick to have, and `State.partial`.
        """
        saved = self._saved(bundle, predicting)
        if saved is not None:
            return saved
        answers = self._answers(predicting)
        if bundle is None or not bundle.folds(self._history):
            return State(bundle, answers=answers)
        state = State(
            bundle,
            fold=bundle.fold(),
            online=bundle.online(),
            seq=bundle.last_seq,
            answers=answers,
        )
        answers.behind = FILLING if bundle.last_seq else ""
        if whole:
            Refill(self._history, state.past.learn).go_on(bundle.last_seq)
        else:
            state.partial = bundle.last_seq > 0
        return state

    def _answers(self, bundle: Bundle | None) -> Answers:
        def part(name: str) -> Part | None:
            return None if bundle is None else bundle.part(name)

        return Answers(self._answerers, part)

    def _saved(self, bundle: Bundle | None, predicting: Bundle | None) -> State | None:
        try:
            file = msgspec.msgpack.decode(self._path.read_bytes(), type=_File)
            if file.history != self._history.identity:
                return None
            state = State.load(file.state, bundle, self._answers(predicting))
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError, BundleError) as error:
            log.info("the saved state is passed over: %s", error)
            return None
        return state if state.seq <= self._history.last_seq() else None
