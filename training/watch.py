"""Learning again when there is a reason to: enough new outcomes, or other times."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

from onward.data.errors import BundleError, NotFound, OnwardError
from onward.data.events import Outcome, Step
from onward.data.store import History
from onward.training.assess import LEAST, assessed
from onward.training.loop import Advance, Trained, train
from onward.training.settings import TrainSettings
from onward.training.shelf import Shelf
from onward.training.veteran import load_veteran

__all__ = ["Watcher", "watch"]

log = logging.getLogger(__name__)

_KNOWN = (Outcome.OK, Outcome.ERROR)


def watch(
    settings: TrainSettings,
    *,
    stop: threading.Event | None = None,
    told: Callable[[str], None] | None = None,
    progress: Advance | None = None,
) -> Iterator[Trained]:
    """Train whenever there is a reason; gives what came of it, each time.

    What goes wrong is logged and tried again at the next reason: a watch must not end because a
    database was busy once.

    Parameters
    ----------
    settings
        Its ``watch_...`` fields say what is a reason, and how often to look.
    stop
        Set it to end the watch.
    told
        Told the reason before each training.
    progress
        Told how far each training is.
    """
    stop, watcher = stop or threading.Event(), Watcher(settings)
    while not stop.is_set():
        try:
            why = watcher.reason()
            if why:
                if told:
                    told(why)
                yield train(settings, progress=progress)
        except OnwardError as error:
            log.warning("not trained: %s", error.message)
        stop.wait(settings.watch_s)


class Watcher:
    """Looks at the history and says whether it is time to learn again.

    Parameters
    ----------
    settings
        What is a reason.
    """

    def __init__(self, settings: TrainSettings) -> None:
        self._settings = settings
        self._seen: int | None = None  # the event up to which outcomes were counted
        self._fresh = 0
        self._unmeasured = 0
        self._drifted = ""  # the live version whose drift was a reason already

    def reason(self) -> str:
        """Why it is time to train; empty = it is not. Looks only at what came in since."""
        with History.open(self._settings.history_url, read_only=True) as history:
            self._count(history)
            if self._fresh >= self._settings.watch_steps:
                why = f"{self._fresh:,} new outcomes"
            elif self._unmeasured >= LEAST and (drift := self._drift(history)):
                why = drift
            else:
                return ""
        self._fresh = self._unmeasured = 0
        return why

    def _count(self, history: History) -> None:
        """Count the outcomes that came in since the last look, or since the newest version."""
        if self._seen is None:
            self._seen = self._learned()
        last = history.last_seq()
        steps = history.scan(after=self._seen, until=last, kinds=(Step,))
        fresh = sum(1 for _, step in steps if isinstance(step, Step) and step.outcome in _KNOWN)
        self._seen = last
        self._fresh += fresh
        self._unmeasured += fresh

    def _learned(self) -> int:
        """The last event that any version learned from; 0 without one."""
        shelf = Shelf(self._settings.home_dir)
        try:
            return max(
                (load_veteran(shelf, name).manifest.last_seq for name in shelf.versions()[-1:]),
                default=0,
            )
        except BundleError:  # made for other features: all is to be learned again
            return 0

    def _drift(self, history: History) -> str:
        """How the live version drifted, as a sentence; empty = not surely, or said before.

        A version that drifted goes on drifting until another passes the gate, which takes enough
        new outcomes: these are a reason of their own.
        """
        self._unmeasured = 0
        shelf = Shelf(self._settings.home_dir)
        live = shelf.current() or ""
        if live == self._drifted:
            return ""
        try:
            veteran = load_veteran(shelf, live)
        except (BundleError, NotFound):
            return ""
        result = assessed(veteran, history, seed=self._settings.seed)
        if result.evaluation is None:
            return ""
        now, then = result.evaluation.scores[0].brier, result.metrics.get("brier", 1.0)
        if now.low - then <= self._settings.watch_drift:
            return ""
        self._drifted = live
        return f"drift: Brier {now.value:.3f} on later outcomes, {then:.3f} when it was trained"
