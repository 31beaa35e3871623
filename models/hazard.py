"""P(no progress): the chance that none of a session's next three steps gains anything.

Standstills are rare (1-2 % of all windows), steps that gain nothing are not (12-23 %). So the trees
learn from both: a window with two idle steps counts as a third of a standstill, one with a single
idle step as a twentieth (`SHARES`). That ranks better than yes and no alone, and says too much; a
calibration on windows of sessions that the trees had not seen takes it back. On the same windows
lies the threshold of the alarm: so high that `ALARMS` of the steps raise it.

What must hold on agents that were never seen is built in: a longer standstill, a further repeat, a
further failure in a row never makes progress more likely (monotone constraints).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from onward.data.errors import NotEnoughData
from onward.data.events import Event, Step
from onward.features.progress.fold import NAMES, VERSION, WINDOW, Closed, Progress
from onward.models.base import Matrix, Probabilities, Rows
from onward.models.calibrate import Calibrator, fit
from onward.models.trees import Trees

__all__ = ["ALARMS", "PEER_COLUMNS", "Hazard", "Windows", "folded", "peers", "rows"]

ALARMS = 0.005
"""Share of the steps that may raise an alarm: 5 in 1,000."""
SHARES = (0.0, 0.05, 0.3, 1.0)
"""How much of a standstill a window is, by its idle steps."""
FOLDS = 3
"""Parts that the sessions are dealt into for the calibration."""
_LEAST = 20

_UP = (
    *("since_gain", "longest", "rows", "rows_share", "bad_share", "void_share", "voids"),
    *("refusals", "bad_row", "void_row", "check_row", "last_bad", "last_refused", "last_void"),
    *("bad_5", "bad_12", "void_5", "void_12", "refused_5", "same_exact", "same_shape"),
    *("same_output", "row_exact", "repeat_states", "alternate_states", "error_again", "errors_12"),
    *("agent_idle", "agent_bad", "agent_void", "project_idle", "project_bad", "project_void"),
)
"""More of these never makes a standstill less likely."""
_DOWN = (
    *("gains_share", "gains_fast", "gains_slow", "gains_3", "gains_5", "gains_12"),
    *("fresh_slow", "last_fresh", "fresh_3", "fresh_5", "fresh_12", "distinct_states"),
    *("last_novel", "new_paths_12", "rate_all", "rate_situation", "rate_program"),
    *("rate_agent_situation", "next_all", "next_situation", "next_program", "next_shape"),
    *("next_project", "next_score"),
)
"""More of these never makes it more likely."""

SETTINGS: dict[str, Any] = {
    "objective": "binary",
    "rounds": 200,
    "learning_rate": 0.03,
    "num_leaves": 7,
    "min_data_in_leaf": 60,
    "lambda_l2": 10.0,
    "feature_fraction": 0.3,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "max_bin": 63,
    "monotone_constraints": [(name in _UP) - (name in _DOWN) for name in NAMES],
    "num_threads": 1,
    "verbose": -1,
}


@dataclass(frozen=True, slots=True)
class Windows(Rows):
    """Windows as rows: ``y`` is 1 for a standstill.

    Parameters
    ----------
    idle
        (n,) steps of the window that gained nothing.
    literal
        (n,) 1 for a standstill by the narrower reading.
    """

    idle: NDArray[np.int64]
    literal: NDArray[np.float64]

    def __getitem__(self, rows: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Windows:
        return Windows(
            self.X[rows],
            self.y[rows],
            self.group[rows],
            self.seq[rows],
            self.idle[rows],
            self.literal[rows],
        )


class Hazard:
    """P(none of the next three steps gains anything).

    >>> Hazard().name
    'hazard'
    """

    name = "hazard"
    names = NAMES
    features = VERSION

    def __init__(self, settings: dict[str, Any] | None = None) -> None:
        self._settings = settings or SETTINGS
        self.trees = Trees(self._settings, names=NAMES)
        self._calibrator = Calibrator.identity()
        self._alarm = 1.0
        self._facts: dict[str, Any] = {}

    def fit(self, train: Rows, *, seed: int = 0) -> Self:
        """Learns from windows.

        Raises
        ------
        NotEnoughData
            Fewer than 20 are standstills, or all are of one session: then none are left that the
            trees have not seen, to calibrate on.
        """
        if min(train.y.sum(), len(train) - train.y.sum()) < _LEAST:
            raise NotEnoughData(
                f"The hazard needs at least {_LEAST} standstills to learn from.",
                standstills=int(train.y.sum()),
            )
        said = self._unseen(train, seed)
        self._calibrator = fit("platt", said, train.y)
        self._alarm = _threshold(self._calibrator.apply(said))
        self.trees = self._trees(train, seed)
        self._facts = {
            "rows": len(train),
            "standstills": int(train.y.sum()),
            "sessions": train.groups,
            "seed": seed,
        }
        return self

    def _unseen(self, train: Rows, seed: int) -> NDArray[np.float64]:
        """(n,) what trees of other sessions say to each window."""
        if train.groups < 2:
            raise NotEnoughData(
                "The hazard needs at least 2 sessions to learn from.", sessions=train.groups
            )
        said = np.full(len(train), np.nan)
        for inside, held in _parts(train.group, seed=seed):
            said[held] = self._trees(train[inside], seed).predict(train.X[held])
        return said

    def _trees(self, train: Rows, seed: int) -> Trees:
        """Trees on windows that count in part: as much for a standstill as they were one."""
        share = np.array(SHARES)[train.idle] if isinstance(train, Windows) else train.y
        part = np.flatnonzero((share > 0) & (share < 1))
        X = np.concatenate([train.X, train.X[part]])
        y = np.concatenate([np.where(share < 1, 0.0, 1.0), np.ones(len(part))])
        weight = np.concatenate([np.where(share < 1, 1.0 - share, 1.0), share[part]])
        trees = Trees(self._settings, names=NAMES)
        trees.fit(X, y, weight=weight, seed=seed)
        return trees

    def predict(self, X: Matrix) -> Probabilities:
        """(n,) what the exported model gives: a score that is not calibrated yet."""
        return self.trees.predict(X)

    def probability(self, X: Matrix) -> Probabilities:
        """(n,) calibrated P(standstill)."""
        return self._calibrator.apply(self.predict(X))

    @property
    def alarm(self) -> float:
        """Calibrated probability from which on a step raises an alarm."""
        return self._alarm

    def to_onnx(self) -> bytes:
        """The trees as ONNX."""
        return self.trees.to_onnx()

    def facts(self) -> dict[str, Any]:
        """Calibration, and the alarm's threshold on calibrated probabilities."""
        return {
            "calibration": self._calibrator.to_json(),
            "alarm": self._alarm,
            "alarms": ALARMS,
            "window": WINDOW,
        }

    def card(self) -> dict[str, Any]:
        """What it is and what it was fitted on."""
        return {
            "name": self.name,
            "kind": "gradient-boosted trees (LightGBM), Platt calibration",
            "target": f"none of the next {WINDOW} steps gains anything",
            "features": VERSION,
            "settings": self._settings,
            "alarm": self._alarm,
            **self._facts,
        }


def _threshold(said: NDArray[np.float64]) -> float:
    """The lowest probability that at most `ALARMS` of the rows reach."""
    most = max(1, int(ALARMS * len(said)))
    ranked = np.sort(said)[::-1]
    above = ranked[ranked > ranked[min(most, len(said) - 1)]]
    return float(above[-1]) if len(above) else float(ranked[0])


def _parts(
    groups: NDArray[np.object_], *, seed: int
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Row numbers to fit on and to calibrate on; a session is never parted."""
    _, index = np.unique(groups.astype(str), return_inverse=True)
    part = (np.random.default_rng(seed).permutation(int(index.max()) + 1) % FOLDS)[index]
    for held in range(FOLDS):
        inside, outside = np.flatnonzero(part != held), np.flatnonzero(part == held)
        if len(inside) and len(outside):
            yield inside, outside


# -- rows -----------------------------------------------------------------------------------------


def rows(events: Iterable[tuple[int, Event]]) -> Windows:
    """The windows of a log as rows, from a fold that knew nothing before."""
    return folded(events, Progress())


def folded(events: Iterable[tuple[int, Event]], fold: Progress) -> Windows:
    """The windows that end in a log; the fold is carried on.

    A window's row is what was known when it began: the vector after its last step before.
    """
    begun: dict[tuple[str, int], tuple[int, NDArray[np.float32]]] = {}
    found: list[tuple[int, NDArray[np.float32], Closed]] = []
    for seq, event in events:
        for closed in fold.learn(event):
            start = begun.pop((closed.session, closed.step), None)
            if start is not None:
                found.append((*start, closed))
        if isinstance(event, Step):
            course = fold.course(event.session)
            steps = course.steps if course is not None else 0
            begun.pop((event.session, steps - WINDOW - 1), None)  # its result is not known
            begun[event.session, steps] = seq, fold.vector(event.session)
    return _table(sorted(found, key=lambda row: row[0]))


def _table(found: list[tuple[int, NDArray[np.float32], Closed]]) -> Windows:
    return Windows(
        X=np.stack([vector for _, vector, _ in found])
        if found
        else np.empty((0, len(NAMES)), np.float32),
        y=np.array([closed.standstill for _, _, closed in found], np.float64),
        group=np.array([closed.session for _, _, closed in found], object),
        seq=np.array([seq for seq, _, _ in found], np.int64),
        idle=np.array([min(closed.idle, WINDOW) for _, _, closed in found], np.int64),
        literal=np.array([closed.literal for _, _, closed in found], np.float64),
    )


# -- peers ----------------------------------------------------------------------------------------

PEER_COLUMNS = (
    *("since_gain", "gains_5", "bad_row", "bad_5", "void_5", "same_exact", "same_shape"),
    *("row_exact", "steps", "last_bad", "last_novel", "last_lines"),
)
"""The simple counts that the logistic regression may use."""
_MOST = 12.0


def peers(train: Rows, test: Rows) -> dict[str, Probabilities]:
    """What trivial peers say of each test row.

    ``base`` the share of standstills; ``repeat_3`` to ``repeat_5`` their share among steps whose
    call came so often in a row, and among others; ``since_gain`` their share by steps since
    something was gained; ``counts`` a logistic regression on simple counts.
    """
    exact, since = NAMES.index("row_exact"), NAMES.index("since_gain")
    said = {"base": np.full(len(test), float(train.y.mean()))}
    for times in (3, 4, 5):
        said[f"repeat_{times}"] = _shares(
            (train.X[:, exact] >= times) * 1.0, train.y, (test.X[:, exact] >= times) * 1.0
        )
    said["since_gain"] = _shares(train.X[:, since], train.y, test.X[:, since])
    said["counts"] = _regression(train, test)
    return said


def _shares(
    train: NDArray[np.floating[Any]], y: NDArray[np.float64], test: NDArray[np.floating[Any]]
) -> Probabilities:
    """Share of standstills by a small number, smoothed towards the overall share."""
    known, asked = np.minimum(train, _MOST).astype(int), np.minimum(test, _MOST).astype(int)
    size = int(_MOST) + 1
    hits, rows = np.bincount(known, y, size), np.bincount(known, minlength=size)
    shares = (hits + 5.0 * y.mean()) / (rows + 5.0)
    return np.asarray(np.maximum.accumulate(shares)[asked], np.float64)


def _regression(train: Rows, test: Rows) -> Probabilities:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    columns = [NAMES.index(name) for name in PEER_COLUMNS]
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=500))
    model.fit(np.nan_to_num(train.X[:, columns]), train.y)
    said = model.predict_proba(np.nan_to_num(test.X[:, columns]))
    return np.asarray(said[:, 1], np.float64)
