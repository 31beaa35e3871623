"""Every answerer, made fresh, with the learned systems whose models it answers with."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from onward.features.sentences import Embedder, lazy_embedder
from onward.serving.answers.base import Seat
from onward.serving.answers.errors import Errors
from onward.serving.answers.fixes import FixAnswers
from onward.serving.answers.forecast import ForecastAnswerer
from onward.serving.answers.hazard import HazardAnswers
from onward.serving.answers.intent import IntentAnswerer
from onward.serving.answers.memory import Recaller
from onward.serving.answers.next_task import NextTaskAnswerer

__all__ = ["seats", "sentence_model"]


def seats(embedder: Embedder | None = None, *, without: Collection[str] = ()) -> list[Seat]:
    """One of each, with nothing learned.

    Parameters
    ----------
    embedder
        Makes vectors of texts; without it they are compared by their words, and answers say so.
    without
        Names of those that are left out.
    """
    steps, fixes = NextTaskAnswerer(), FixAnswers()
    errors, memory, intent = Errors(embedder), Recaller(embedder), IntentAnswerer(embedder)
    hazard, forecast = HazardAnswers(), ForecastAnswerer()
    every = [
        Seat(steps, {"next_task": steps.use}),
        Seat(hazard, {"hazard": hazard.use}),
        Seat(
            fixes,
            {
                "fixes": fixes.use,
                "attempts": fixes.use_attempts,
                "transient": fixes.use_transient,
            },
        ),
        Seat(errors, {"causes": errors.use, "clusters": errors.use_pairs}),
        Seat(memory, {"memory": memory.use}),
        Seat(intent, {"intent": intent.use}),
        Seat(forecast, {"forecast": forecast.use}),
    ]
    return [seat for seat in every if seat.answerer.name not in without]


def sentence_model(home: Path) -> Embedder | None:
    """The sentence model of a state directory, opened when it is first needed; None = none yet."""
    found = sorted((home / "sentences").glob("*/sentences.json"))
    return lazy_embedder(found[0].parent) if found else None
