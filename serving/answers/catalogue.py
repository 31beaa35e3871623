"""Every answerer, made fresh, with the learned systems whose models it answers with.

An answerer's module is imported when one is made: a server without it carries none of it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from onward.features.sentences import Embedder, lazy_embedder
from onward.serving.answers.base import Seat, Use

__all__ = ["seats", "sentence_model"]


def seats(
    embedder: Embedder | None = None,
    *,
    wanted: Callable[[str], bool] = lambda name: True,
    folder: Path | None = None,
) -> list[Seat]:
    """One of each, with nothing learned.

    Parameters
    ----------
    embedder
        Makes vectors of texts; without it they are compared by their words, and answers say so.
    wanted
        Whether an answerer of this name is to be kept ready.
    folder
        Where what took long to derive may be kept, so that the next start need not; None = nowhere.
    """
    return [make(embedder, folder) for name, make in _MAKERS.items() if wanted(name)]


def sentence_model(home: Path) -> Embedder | None:
    """The sentence model of a state directory, opened when it is first needed; None = none yet."""
    found = sorted((home / "sentences").glob("*/sentences.json"))
    return lazy_embedder(found[0].parent) if found else None


def _next_task(_embedder: Embedder | None, _folder: Path | None) -> Seat:
    from onward.features.next_task.fold import NAMES, VERSION
    from onward.serving.answers.next_task import NextTaskAnswerer

    answerer = NextTaskAnswerer()
    return Seat(answerer, {"next_task": Use(answerer.use, NAMES, VERSION)})


def _hazard(_embedder: Embedder | None, _folder: Path | None) -> Seat:
    from onward.features.progress.fold import NAMES, VERSION
    from onward.serving.answers.hazard import HazardAnswers

    answerer = HazardAnswers()
    return Seat(answerer, {"hazard": Use(answerer.use, NAMES, VERSION)})


def _fixes(_embedder: Embedder | None, _folder: Path | None) -> Seat:
    from onward.features.fixes.fold import NAMES, REMEDY_NAMES, TRANSIENT_NAMES, VERSION
    from onward.serving.answers.fixes import FixAnswers

    answerer = FixAnswers()
    uses = {
        "fixes": Use(answerer.use, REMEDY_NAMES, VERSION),
        "attempts": Use(answerer.use_attempts, NAMES, VERSION),
        "transient": Use(answerer.use_transient, TRANSIENT_NAMES, VERSION),
    }
    return Seat(answerer, uses)


def _errors(embedder: Embedder | None, _folder: Path | None) -> Seat:
    from onward.features.errors import causes, pairs
    from onward.serving.answers.errors import Errors

    answerer = Errors(embedder)
    uses = {
        "causes": Use(answerer.use, causes.NAMES, causes.VERSION, classes=True),
        "clusters": Use(answerer.use_pairs, pairs.NAMES, pairs.VERSION),
    }
    return Seat(answerer, uses)


def _memory(embedder: Embedder | None, folder: Path | None) -> Seat:
    from onward.features.memory.fold import NAMES, VERSION
    from onward.serving.answers.memory import Recaller

    answerer = Recaller(embedder, folder=folder and folder / "notes")
    return Seat(answerer, {"memory": Use(answerer.use, NAMES, VERSION)}, answerer.tend)


def _intent(embedder: Embedder | None, _folder: Path | None) -> Seat:
    from onward.features.intent.fold import NAMES, VERSION
    from onward.serving.answers.intent import IntentAnswerer

    answerer = IntentAnswerer(embedder)
    return Seat(answerer, {"intent": Use(answerer.use, NAMES, VERSION, classes=True)})


def _forecast(_embedder: Embedder | None, _folder: Path | None) -> Seat:
    from onward.features.resources.series import NAMES, VERSION
    from onward.serving.answers.forecast import ForecastAnswerer

    answerer = ForecastAnswerer()
    return Seat(answerer, {"forecast": Use(answerer.use, NAMES, VERSION)})


_MAKERS: dict[str, Callable[[Embedder | None, Path | None], Seat]] = {
    "next_task": _next_task,
    "hazard": _hazard,
    "fixes": _fixes,
    "errors": _errors,
    "memory": _memory,
    "intent": _intent,
    "forecast": _forecast,
}
"""Answerer's name -> what makes it."""
