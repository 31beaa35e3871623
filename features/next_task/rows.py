"""The labels that may come next, each with a row of numbers: what speaks for it, and how loudly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from onward.features.next_task.labels import RARE, Labels
from onward.features.next_task.state import STATE_NAMES, state_of
from onward.features.next_task.trail import BEFORE, Trail
from onward.features.step.files import NEVER, since

__all__ = ["CANDIDATES", "NAMES", "VOICES", "Asked", "ranked"]

CANDIDATES = 12
"""Labels that get a row; the truth is among them in some 97 of 100 steps."""
_LEAST = 1e-6

VOICES = ("steps", "shapes", "place", "session", "recent", "weights")
"""What speaks for a label, in the order of `Asked.voices`."""
_BEHIND = np.array([VOICES.index(voice) for voice in ("shapes", "session", "weights")])
"""Voices that are also told by how far a label is behind the likeliest."""
_OWN_NAMES = (
    *(f"log_{voice}" for voice in VOICES),
    *("log_mean", "behind_shapes", "behind_session", "behind_weights", "rank"),
    *("times", "since", "is_last", "is_last_2", "followed", "label_kind", "share", "session_share"),
)
NAMES: tuple[str, ...] = (*STATE_NAMES, *_OWN_NAMES)
"""Names of the numbers in a row, in order: those of the session, then those of the label."""


class Asked(NamedTuple):
    """What is known of a session's next step."""

    labels: tuple[str, ...]
    """(c,) the likeliest labels, likeliest first; `OTHER` stands for all rare ones."""
    X: NDArray[np.float32]
    """(c, d) a row for each, columns as `NAMES`."""
    voices: NDArray[np.float64]
    """(voices, c) probabilities of each, by `VOICES`."""


def ranked(
    spread: NDArray[np.float64],
    names: Sequence[str],
    ids: NDArray[np.intp],
    *,
    trail: Trail,
    situation: int,
    known: Labels,
) -> Asked:
    """The likeliest labels by the mean of all voices, with their rows.

    Parameters
    ----------
    spread
        (voices, numbers) what each voice says of each number of a label; column 0 is `RARE`.
    names, ids
        The labels that are told apart and their numbers, all others as one at the end.
    trail
        The session.
    situation
        What it stands in, as `Trail.followed` knows it.
    known
        All labels that were met.
    """
    voices = _merged(spread, ids[:-1])
    logs = np.log(voices)
    mean = np.add.reduce(logs, 0) / len(VOICES)
    order = np.argsort(-mean, kind="stable")[:CANDIDATES]
    logs_of = logs[:, order]
    X = np.empty((len(order), len(NAMES)), np.float32)
    at = len(STATE_NAMES)
    X[:, :at] = state_of(trail)
    X[:, at : at + len(VOICES)] = logs_of.T
    at += len(VOICES)
    X[:, at] = mean[order]
    top = np.maximum.reduce(logs, 1)[_BEHIND]
    X[:, at + 1 : at + 1 + len(_BEHIND)] = (logs_of[_BEHIND] - top[:, None]).T
    X[:, at + 1 + len(_BEHIND) :] = _own(trail, situation, ids[order].tolist(), known)
    return Asked(tuple([names[i] for i in order]), X, voices[:, order])


def _merged(spread: NDArray[np.float64], ids: NDArray[np.intp]) -> NDArray[np.float64]:
    """(voices, labels + 1): the wanted labels, and all others as one at the end."""
    wanted = spread[:, ids]
    if not ids.all():
        wanted[:, ids == RARE] = _LEAST
    rest = 1.0 - np.add.reduce(wanted, 1, keepdims=True)
    return np.asarray(np.maximum(np.concatenate((wanted, rest), 1), _LEAST), np.float64)


def _own(
    trail: Trail, situation: int, numbers: Sequence[int], known: Labels
) -> list[tuple[float, ...]]:
    """What the session and the history know of each candidate: the last `_OWN_NAMES`."""
    marks, n = trail.marks, trail.steps
    a = marks[-1].label if marks else BEFORE
    b = marks[-2].label if len(marks) > 1 else BEFORE
    after = trail.followed.get(situation, BEFORE)
    rows: list[tuple[float, ...]] = []
    for rank, number in enumerate(numbers):
        times = trail.times.get(number, 0)
        rows.append(
            (
                rank,
                times,
                since(n, trail.last.get(number, NEVER)),
                number == a,
                number == b,
                number == after,
                known.kind(number),
                known.share(number),
                times / (n + 1),
            )
        )
    return rows
