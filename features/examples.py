"""The log as a table: one row a step, its vector as it stood before the step.

The order rule: a step that was decided on gets the vector that its call had at the decision;
any other gets the vector made just before it is learned. Serving sees the same numbers, for it
folds the same events in the same order.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from onward.data.events import Decision, Event, Outcome, Step
from onward.data.samples import is_lent
from onward.features.bounded import shed
from onward.features.fold import NAMES, Fold

__all__ = ["OUTCOMES", "Decided", "Examples", "Rows", "examples", "joined", "rehearsed", "walk"]

OUTCOMES = tuple(Outcome)
"""`Examples.outcome` holds positions in this."""
_CODE = {outcome: code for code, outcome in enumerate(OUTCOMES)}
_OK, _ERROR = _CODE[Outcome.OK], _CODE[Outcome.ERROR]
_UNKNOWN = _CODE[Outcome.UNKNOWN]

MAX_OPEN = 10_000
"""Decisions whose step has not come yet; the oldest are forgotten."""

Rows = NDArray[np.bool_] | NDArray[np.intp] | slice
Texts = NDArray[np.object_]
Decided = dict[str, NDArray[np.float32]]
"""Decision -> the vector that its call had."""


@dataclass(frozen=True, slots=True)
class Examples:
    """Steps as rows, in the order of the log.

    Parameters
    ----------
    X
        (n, d) float32, columns as `onward.features.fold.NAMES`; NaN = not known.
    outcome
        (n,) int8, positions in `OUTCOMES`.
    project, agent, session
        (n,) texts.
    at
        (n,) Unix seconds, 0 = unknown.
    seq
        (n,) the step's place in the log.
    """

    X: NDArray[np.float32]
    outcome: NDArray[np.int8]
    project: Texts
    agent: Texts
    session: Texts
    at: NDArray[np.float64]
    seq: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.seq)

    def __getitem__(self, rows: Rows) -> Examples:
        return Examples(*(getattr(self, field.name)[rows] for field in fields(self)))

    @property
    def ran(self) -> NDArray[np.bool_]:
        """(n,) whether the step ran to an end that is known."""
        return np.asarray((self.outcome == _OK) | (self.outcome == _ERROR))

    @property
    def lent(self) -> NDArray[np.bool_]:
        """(n,) whether the step is of the bundled history, not of the user's own."""
        return np.fromiter(map(is_lent, self.agent.tolist()), np.bool_, len(self))

    @property
    def judged(self) -> NDArray[np.bool_]:
        """(n,) whether it is known if the step was let through."""
        return np.asarray(self.outcome != _UNKNOWN)

    @property
    def succeeded(self) -> NDArray[np.float64]:
        """(n,) 1 where the step came out well."""
        return np.asarray(self.outcome == _OK, np.float64)


def walk(
    events: Iterable[tuple[int, Event]], fold: Fold, decided: Decided | None = None
) -> Iterator[tuple[int, Step, NDArray[np.float32]]]:
    """Folds a log and gives each step with its vector; the fold is left after the last event.

    What was decided and has not come yet is kept in ``decided``: pass it, with the fold, to go on
    where another walk ended.
    """
    decided = {} if decided is None else decided
    for seq, event in events:
        if isinstance(event, Decision):
            decided[event.id] = fold.vector(event.call)
            shed(decided, MAX_OPEN)
        elif isinstance(event, Step):
            vector = decided.pop(event.decision, None) if event.decision else None
            yield seq, event, fold.vector(event) if vector is None else vector
        fold.learn(event)


def examples(
    events: Iterable[tuple[int, Event]], fold: Fold | None = None, *, decided: Decided | None = None
) -> Examples:
    """The steps of a log as a table.

    Parameters
    ----------
    events
        The log with its sequence numbers, as `History.scan` gives it.
    fold
        The state before the first of these events; it is carried on. None = a fresh one.
    decided
        Vectors of decisions before these events whose step has not come; carried on likewise.
    """
    rows = list(walk(events, fold if fold is not None else Fold(), decided))
    steps = [step for _, step, _ in rows]
    vectors = [vector for _, _, vector in rows]
    return Examples(
        X=np.stack(vectors) if rows else np.empty((0, len(NAMES)), np.float32),
        outcome=np.array([_CODE[step.outcome] for step in steps], np.int8),
        project=np.array([step.project for step in steps], object),
        agent=np.array([step.agent for step in steps], object),
        session=np.array([step.session for step in steps], object),
        at=np.array([step.at for step in steps], np.float64),
        seq=np.array([seq for seq, _, _ in rows], np.int64),
    )


def joined(parts: Sequence[Examples]) -> Examples:
    """Several tables as one, row after row."""
    return Examples(
        *(np.concatenate([getattr(p, field.name) for p in parts]) for field in fields(Examples))
    )


def rehearsed(events: Sequence[tuple[int, Event]], *, passes: int, seed: int = 0) -> Examples:
    """The same steps as they would have looked had the projects come in another order.

    A model that only saw the log once knows how much the running rates are worth in a project
    met late, but not in one met first. Each pass starts with nothing learned, takes the projects
    in a random order, and gives one more row for each step.

    Parameters
    ----------
    events
        The log with its sequence numbers.
    passes
        How many orders; more make the model steadier on projects that it never saw.
    seed
        Which orders.
    """
    home = _projects(events)
    names = sorted(set(home))
    draw = random.Random(seed)  # noqa: S311 - an order of folding, nothing secret
    parts = []
    for _ in range(passes):
        rank = {name: place for place, name in enumerate(draw.sample(names, len(names)))}
        order = sorted(range(len(events)), key=lambda row: rank[home[row]])
        parts.append(examples(events[row] for row in order))
    return joined(parts) if parts else examples(())


def _projects(events: Sequence[tuple[int, Event]]) -> list[str]:
    """The project that each event's session began in; a session is never parted."""
    of_session: dict[str, str] = {}
    for _, event in events:
        session, project = _whereabouts(event)
        if project or session not in of_session:
            of_session.setdefault(session, project) or of_session.update({session: project})
    return [of_session[_whereabouts(event)[0]] for _, event in events]


def _whereabouts(event: Event) -> tuple[str, str]:
    call = event.call if isinstance(event, Decision) else event
    return call.session, getattr(call, "project", "")
