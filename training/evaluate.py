"""How good a model is, beside the trivial peers that it must beat.

A number alone says nothing: every table shows the model next to what needs no model, on the
same rows, with intervals from drawing whole groups. The execute band is measured as it would
have been in service: its threshold comes from the calibration rows, its error from the judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from onward.data.errors import InputError
from onward.decisions.policy import execute_from
from onward.decisions.risk import execute_threshold
from onward.training.curve import RiskBand, risk_band
from onward.training.metrics import Interval, auc, bootstrap, brier, ece, reliability, selective

__all__ = [
    "Band",
    "Evaluation",
    "Judged",
    "Score",
    "band_at",
    "base_rate",
    "evaluate",
    "last_outcome",
]

Floats = NDArray[np.float64]

RATES = (0.05, 0.10)
"""The error rates whose execute band every table shows."""

_METRICS = {"auc": auc, "brier": brier, "ece": ece}
_DRAWN_ROWS = 1_000_000  # rows drawn for one interval: what bounds its time on long histories


@dataclass(frozen=True, slots=True)
class Judged:
    """Rows whose outcome is known, with what each model said before.

    Parameters
    ----------
    y
        (n,) 1 where the step succeeded.
    said
        Model's name -> (n,) its probability of success.
    groups
        (n,) which rows depend on each other.
    """

    y: Floats
    said: Mapping[str, Floats]
    groups: Sequence[str] | NDArray[np.generic]

    def __post_init__(self) -> None:
        sizes = {name: len(p) for name, p in self.said.items()} | {"groups": len(self.groups)}
        if not len(self.y) or any(size != len(self.y) for size in sizes.values()):
            raise InputError("Every row needs an outcome, a group and every model's word.", **sizes)


class Band(msgspec.Struct, frozen=True):
    """What an execute band of one stated error rate let through."""

    rate: float
    """The stated rate."""
    threshold: float | None
    """The least probability that is let through; None = the rows do not suffice: ask."""
    coverage: float
    error: float


class Score(msgspec.Struct, frozen=True):
    """One model's figures on the judged rows."""

    name: str
    auc: Interval
    brier: Interval
    ece: Interval
    bands: list[Band]


class Evaluation(msgspec.Struct, frozen=True):
    """All models' figures on the same rows; the first one is the model, the rest its peers."""

    n: int
    error_rate: float
    """Share of the judged rows that failed."""
    scores: list[Score]
    reliability: list[tuple[float, float, int]]
    """Of the first model: mean said, mean seen, rows."""
    curve: RiskBand
    """Of the first model."""

    def flat(self) -> dict[str, float]:
        """Metric name -> number, as an experiment tracker wants it.

        The model's own names are bare (``auc``), its peers' carry theirs (``counts.auc``).
        """
        numbers = {"n": float(self.n), "error_rate": self.error_rate}
        for place, score in enumerate(self.scores):
            lead = f"{score.name}." if place else ""
            for name in _METRICS:
                interval: Interval = getattr(score, name)
                numbers[lead + name] = interval.value
                numbers |= (
                    {f"{name}_low": interval.low, f"{name}_high": interval.high}
                    if not place
                    else {}
                )
            for band in score.bands:
                numbers[f"{lead}coverage_at_{band.rate * 100:g}"] = band.coverage
                numbers[f"{lead}error_at_{band.rate * 100:g}"] = band.error
        return numbers


def evaluate(
    test: Judged,
    calibration: Judged | None = None,
    *,
    confidence: float = 0.95,
    draws: int = 300,
    seed: int = 0,
) -> Evaluation:
    """Measure every model in *test*; its execute thresholds come from *calibration*.

    Parameters
    ----------
    test
        Rows that no model was fitted or calibrated on; the first model is the one in question.
    calibration
        Older rows that no model was fitted on, said by the same models; None = no bands.
    confidence
        How sure the stated error rate must be.
    draws
        Of each interval; fewer where the rows are very many.
    seed
        Of the draws.
    """
    draws = max(50, min(draws, _DRAWN_ROWS // len(test.y)))
    first = next(iter(test.said))
    return Evaluation(
        n=len(test.y),
        error_rate=1.0 - float(np.mean(test.y)),
        scores=[
            _score(name, test, calibration, confidence=confidence, draws=draws, seed=seed)
            for name in test.said
        ],
        reliability=reliability(test.y, test.said[first]),
        curve=risk_band(test.y, test.said[first], groups=test.groups, draws=draws, seed=seed),
    )


def _score(
    name: str, test: Judged, calibration: Judged | None, *, confidence: float, draws: int, seed: int
) -> Score:
    """One model's figures."""
    said = test.said[name]
    intervals = {
        key: bootstrap(metric, test.y, said, groups=test.groups, draws=draws, seed=seed)
        for key, metric in _METRICS.items()
    }
    bands = [
        band_at(test, name, rate, _threshold(name, rate, calibration, confidence))
        for rate in RATES
        if calibration is not None
    ]
    return Score(name=name, bands=bands, **intervals)


def band_at(test: Judged, name: str, rate: float, threshold: float) -> Band:
    """What a model's execute band lets through of the judged rows; ``inf`` lets none through."""
    coverage, error = selective(test.y, test.said[name], threshold)
    return Band(rate, threshold if np.isfinite(threshold) else None, coverage, error)


def _threshold(name: str, rate: float, calibration: Judged, confidence: float) -> float:
    """Where a model's execute band begins, by the calibration rows."""
    found = execute_threshold(
        calibration.said[name],
        1.0 - calibration.y,
        rate=rate,
        confidence=confidence,
        groups=np.asarray(calibration.groups),
    )
    return execute_from(found.value)


def base_rate(fit_y: ArrayLike, n: int) -> Floats:
    """(n,) the share of successes among the fitted rows, said to every row.

    >>> base_rate([1, 1, 0, 1], 2).tolist()
    [0.75, 0.75]
    """
    return np.full(n, float(np.mean(np.asarray(fit_y, np.float64))))


def last_outcome(y: ArrayLike, sessions: Sequence[str], fit_rows: NDArray[np.int64]) -> Floats:
    """(n,) how often steps succeed after a success, after a failure, and at a session's start.

    The rates are counted on the fitted rows; each row is then told the rate of its own case.

    >>> last_outcome([1, 0, 0, 1], ["a", "a", "b", "b"], np.array([0, 1, 2, 3])).round(2).tolist()
    [0.5, 0.33, 0.5, 0.67]
    """
    seen = np.asarray(y, np.int64)
    before: dict[str, int] = {}
    case = np.empty(len(seen), np.int64)
    for row, session in enumerate(sessions):
        case[row] = before.get(session, 2)
        before[session] = int(seen[row])
    fitted = case[fit_rows]
    good = np.bincount(fitted, weights=seen[fit_rows], minlength=3)
    # One success and one failure are taken as given, so that a case never seen says one half.
    rates = (good + 1.0) / (np.bincount(fitted, minlength=3) + 2.0)
    return np.asarray(rates[case], dtype=np.float64)
