"""What an answer costs: to a known message, and to a new one beside its bare parts."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from experiments.failures.figures import Figure, Figures, value_of
from experiments.failures.sets import System

from onward.data.events import Outcome, Step
from onward.features.errors.causes import Case
from onward.features.errors.fold import speaking
from onward.features.sentences import Embedder
from onward.models.causes import Causes, labels_of, rows
from onward.serving.answers.base import Part
from onward.serving.answers.errors import Errors
from onward.serving.questions.errors import ErrorRequest

__all__ = ["speed"]


def speed(systems: Sequence[System], embedder: Embedder | None, cases: Sequence[Case]) -> Figures:
    """Microseconds an answer, p50, everything taking turns in one run."""
    telling = Errors()
    answerer = Errors(embedder)
    messages = [f"error: {m}" for s in systems for m in s.messages[:150]]
    for number, message in enumerate(messages[: len(messages) // 2]):
        answerer.learn(_step(number, message))
    fresh = [m for m in dict.fromkeys(messages) if not answerer.answer(_asked(m)).known][:60]
    known = messages[: len(messages) // 2][:: max(len(messages) // 400, 1)]
    stack = np.stack(list(answerer._vectors.values())) if embedder else np.empty((0, 0))

    def bare(message: str) -> None:
        assert embedder is not None  # noqa: S101  # for the type checker
        cosines = stack @ embedder.embed([message])[0]
        np.argpartition(-cosines, min(5, len(cosines) - 1))

    times: dict[str, list[float]] = {"known": [], "new": [], "embed_and_search": []}
    if cases:
        telling.load(answerer.dump())
        telling.use(_served(cases))
        times["known_with_cause"] = []
    for message in known:
        if cases:
            times["known_with_cause"].append(_took(telling.answer, _asked(message)))
        times["known"].append(_took(answerer.answer, _asked(message)))
    for message in fresh if embedder else ():
        times["embed_and_search"].append(_took(bare, " ".join(speaking(message).tokens)))
        times["new"].append(_took(answerer.answer, _asked(message)))
    found: dict[str, dict[str, Figure]] = {
        name: {"p50_us": statistics.median(taken) * 1e6} for name, taken in times.items() if taken
    }
    if "new" in found:
        found["new"]["ratio"] = value_of(found["new"]["p50_us"]) / value_of(
            found["embed_and_search"]["p50_us"]
        )
    return {"speed": found}


def _served(cases: Sequence[Case]) -> Part:
    """A model of causes as a bundle holds it."""
    import onnxruntime

    labels = labels_of(cases)
    model = Causes(labels).fit(rows(cases, labels))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.to_onnx(), options)
    return Part("trial", model.facts(), lambda X: np.asarray(session.run(["p"], {"X": X})[0]))


def _took(act: Callable[[Any], object], given: object) -> float:
    start = time.perf_counter()
    act(given)
    return time.perf_counter() - start


def _asked(message: str) -> ErrorRequest:
    return ErrorRequest(output=message, command="python run.py")


def _step(number: int, message: str) -> Step:
    return Step(
        id=str(number),
        session="s",
        tool="Bash",
        input={"command": "python run.py"},
        outcome=Outcome.ERROR,
        output=message,
        at=float(number),
    )
