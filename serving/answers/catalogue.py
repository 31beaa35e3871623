"""Every answerer, made fresh, with the learned systems whose models it answers with.

An answerer's module is imported when one is made: a server without it carries none of it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from onward.features.sentences import Embedder, lazy_embedder
from onward.serving.answers.base import Seat

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
    from onward.serving.answers.next_task import NextTaskAnswerer

    answerer = NextTaskAnswerer()
    return Seat(answerer, {"next_task": answerer.use})


def _hazard(_embedder: Embedder | None, _folder: Path | None) -> Seat:
    from onward.serving.answers.hazard import HazardAnswers

    answerer = HazardAnswers()
    return Seat(answerer, {"hazard": answerer.use})


def _fixes(_embedder: Embedder | None, _folder: Path | None) -> Seat:
    from onward.serving.answers.fixes import FixAnswers

    answerer = FixAnswers()
    uses = {
        "fixes": answerer.use,
        "attempts": answerer.use_attempts,
        "transient": answerer.use_transient,
    }
    return Seat(answerer, uses)


def _errors(embedder: Embedder | None, _folder: Path | None) -> Seat:
    from onward.serving.answers.errors import Errors

    answerer = Errors(embedder)
    return Seat(answerer, {"causes": answerer.use, "clusters": answerer.use_pairs})


def _memory(embedder: Embedder | None, folder: Path | None) -> Seat:
    from onward.serving.answers.memory import Recaller

    answerer = Recaller(embedder, folder=folder and folder / "notes")
    return Seat(answerer, {"memory": answerer.use}, answerer.tend)


def _intent(embedder: Embedder | None, _folder: Path | None) -> Seat:
    from onward.serving.answers.intent import IntentAnswerer

    answerer = IntentAnswerer(embedder)
    return Seat(answerer, {"intent": answerer.use})


def _forecast(_embedder: Embedder | None, _folder: Path | None) -> Seat:
    from onward.serving.answers.forecast import ForecastAnswerer

    answerer = ForecastAnswerer()
    return Seat(answerer, {"forecast": answerer.use})


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
