"""The definition of progress beside a reader's labels of windows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from experiments.held_out.sets import History
from numpy.typing import NDArray

from onward.data.events import Step
from onward.features.progress.fold import WINDOW, Progress
from onward.features.progress.gains import LITERAL, Gain

__all__ = ["definition"]

LABELS = Path(__file__).parent / "labels.jsonl"


class _Label(msgspec.Struct):
    set: str
    traj: str
    step: int
    label: str
    weight: float
    read: str = "first"


def definition(sets: Sequence[History]) -> dict[str, dict[str, float]]:
    """Set and reading -> how far the definition agrees with the hand labels."""
    lines = LABELS.read_bytes().splitlines() if LABELS.exists() else []
    labels = [msgspec.json.decode(line, type=_Label) for line in lines]
    found = {}
    for one in sets:
        gains = _gains(one) if any(label.set == one.name for label in labels) else {}
        for read in ("first", "second"):
            own = [x for x in labels if (x.set, x.read) == (one.name, read) and x.traj in gains]
            for name, kept in (("", frozenset(Gain)), (" literal", LITERAL)):
                rows = [(x, _standstill(gains[x.traj], x.step, kept)) for x in own]
                if rows:
                    found[f"{one.name} {read}{name}"] = _agreement(rows)
    return found


def _gains(one: History) -> dict[str, list[Gain]]:
    """Session -> what each of its steps gained."""
    fold, found = Progress(), dict[str, list[Gain]]()
    for _, event in one.log:
        fold.learn(event)
        if isinstance(event, Step):
            course = fold.course(event.session)
            gain = course.marks[-1].gain if course is not None else 0
            found.setdefault(event.session, []).append(Gain(gain))
    return found


def _standstill(gains: list[Gain], step: int, kept: frozenset[Gain]) -> bool:
    return not any(gain in kept and gain > 0 for gain in gains[step : step + WINDOW])


def _agreement(rows: Sequence[tuple[_Label, bool]]) -> dict[str, float]:
    reader = np.array([label.label == "standstill" for label, _ in rows])
    ours = np.array([standstill for _, standstill in rows])
    weight = np.array([label.weight for label, _ in rows])
    plain = np.ones(len(rows))
    return {
        "windows": len(rows),
        "reader_standstills": int(reader.sum()),
        "our_standstills": int(ours.sum()),
        "both": int((reader & ours).sum()),
        "agreement": float((reader == ours).mean()),
        "kappa": _kappa(reader, ours, plain),
        "agreement_weighted": float(np.average(reader == ours, weights=weight)),
        "kappa_weighted": _kappa(reader, ours, weight),
    }


def _kappa(a: NDArray[np.bool_], b: NDArray[np.bool_], weight: NDArray[np.float64]) -> float:
    """Cohen's kappa (1960)."""
    w = weight / weight.sum()
    chance = sum(float(w[a == v].sum() * w[b == v].sum()) for v in (True, False))
    return (float(w[a == b].sum()) - chance) / (1.0 - chance) if chance < 1.0 else 1.0
