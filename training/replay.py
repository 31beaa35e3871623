"""A replay from beginning to end: walk through a history, and sum up what came of it."""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward import __version__
from onward.data.errors import NotEnoughData
from onward.data.events import Outcome, command_of
from onward.decisions.policy import PolicySettings, execute_from
from onward.training.curve import risk_band
from onward.training.metrics import Interval, auc, bootstrap, brier, ece, reliability
from onward.training.replayed import BlockResult, Replayed, Tally, WrongStep
from onward.training.tables import Tables, program_of
from onward.training.walk import KNOWN, Answered

__all__ = ["Summary"]

Floats = NDArray[np.float64]

WRONG_SHOWN = 50
"""Wrong steps that go into the report, the surest first."""
TEXT_SHOWN, OUTPUT_SHOWN = 2000, 1500
"""Characters of a wrong step's command and output that go into the report."""
DRAWS = 300

_REFUSED = (Outcome.REJECTED, Outcome.INTERRUPTED)


class _Row(NamedTuple):
    """A step that counts."""

    good: bool
    p: float
    through: bool
    by_model: bool
    session: str
    band: str
    tool: str
    day: str


@dataclass(slots=True)
class _Block:
    """What happened between two trainings."""

    known: int
    threshold: float | None
    tally: Tally = field(default_factory=lambda: Tally(""))


class Summary:
    """Counts answered steps one by one.

    Parameters
    ----------
    borders
        The number of steps before which a model was made, as the walk had them.
    """

    def __init__(self, borders: Sequence[int]) -> None:
        self.warmup = 0
        self.refused = Tally("refused")
        self._borders = list(borders)
        self._seen = 0
        self._blocks: list[_Block] = []
        self._wrong: list[tuple[float, int, WrongStep]] = []
        self._programs = Counter[str]()
        self._rows: list[_Row] = []

    def add(self, said: Answered, *, counts: bool) -> None:
        """Take in one answered step; *counts* is False for those that only warm up."""
        if self._borders and self._seen >= self._borders[0]:
            known = self._borders.pop(0)
            self._blocks.append(_Block(known, said.threshold))
        self._seen += 1
        if not counts:
            self.warmup += 1
        elif said.step.outcome in KNOWN:
            self._count(said)
        elif said.step.outcome in _REFUSED:
            self.refused.add(failed=True, through=said.through)

    def _count(self, said: Answered) -> None:
        """Count a step whose success is known."""
        if not self._blocks:
            self._blocks.append(_Block(self.warmup, said.threshold))
        self._blocks[-1].tally.add(failed=said.failed, through=said.through)
        step = said.step
        self._rows.append(
            _Row(
                good=not said.failed,
                p=said.p,
                through=said.through,
                by_model=said.threshold is not None and said.p >= execute_from(said.threshold),
                session=step.session,
                band=said.answer.band,
                tool=step.tool or "(no tool)",
                day=time.strftime("%Y-%m-%d", time.gmtime(step.at)) if step.at else "",
            )
        )
        if said.failed and said.through:
            self._programs[program_of(step)] += 1
            self._keep(said)

    def _keep(self, said: Answered) -> None:
        """Keep a wrong step, if it is among the surest."""
        entry = (said.p, -said.seq, _wrong_step(said))
        if len(self._wrong) < WRONG_SHOWN:
            heapq.heappush(self._wrong, entry)
        else:
            heapq.heappushpop(self._wrong, entry)

    def result(self, *, source: str, how: str, policy: PolicySettings) -> Replayed:
        """All of it, with intervals.

        Raises
        ------
        NotEnoughData
            No step after the warm-up has a known outcome.
        """
        if not self._rows:
            raise NotEnoughData(
                "No step with a known outcome is left to replay; record or import more.",
                warmup=self.warmup,
            )
        good, p, through, by_model, sessions, bands, tools, days = map(
            np.array, zip(*self._rows, strict=True)
        )
        y, said, groups = good.astype(float), p, sessions
        let, model_let = through.astype(float), by_model
        table = Tables(failed=1 - y, through=through, sessions=sessions)
        intervals = _intervals(y, said, let, groups)
        return Replayed(
            source=source,
            how=how,
            version=__version__,
            error_rate=policy.error_rate,
            confidence=policy.confidence,
            warmup=self.warmup,
            steps=len(y),
            failed=int((1 - y).sum()),
            refused=self.refused.steps,
            refused_through=self.refused.through,
            bands=table.bands(bands),
            blocks=[_block(block) for block in self._blocks if block.tally.steps],
            tools=table.tools(tools),
            days=table.days(days),
            wrong=[step for _, _, step in sorted(self._wrong, key=lambda entry: entry[:2])[::-1]],
            wrong_all=int(((1 - y) * let).sum()),
            wrong_programs=dict(self._programs.most_common()),
            curve=risk_band(y, said, groups=groups, draws=DRAWS),
            reliability=reliability(y, said),
            model_coverage=float(model_let.mean()),
            model_error=float(1 - y[model_let].mean()) if model_let.any() else 0.0,
            **intervals,
        )


def _intervals(y: Floats, p: Floats, let: Floats, groups: NDArray[np.str_]) -> dict[str, Interval]:
    """The headline figures, from drawing whole sessions."""

    def error(truth: Floats, through: Floats) -> float:
        wrong = 1.0 - truth[through > 0]
        return float(wrong.mean()) if len(wrong) else 0.0

    draws = max(50, min(DRAWS, 5_000_000 // len(y)))  # bounds the time on long histories
    drawn = partial(bootstrap, groups=groups, draws=draws)
    return {
        "coverage": drawn(lambda truth, through: float(through.mean()), y, let),
        "error": drawn(error, y, let),
        "auc": drawn(auc, y, p),
        "brier": drawn(brier, y, p),
        "ece": drawn(ece, y, p),
    }


def _block(block: _Block) -> BlockResult:
    """One block, as it is reported."""
    begin = np.inf if block.threshold is None else execute_from(block.threshold)
    return BlockResult(
        known=block.known,
        steps=block.tally.steps,
        threshold=begin if np.isfinite(begin) else None,
        through=block.tally.through,
        wrong=block.tally.wrong,
    )


def _wrong_step(said: Answered) -> WrongStep:
    """A wrong step, as it is reported."""
    step = said.step
    text = command_of(step) or msgspec.json.encode(step.input).decode()
    return WrongStep(
        seq=said.seq,
        session=step.session,
        tool=step.tool,
        program=program_of(step),
        text=text[:TEXT_SHOWN],
        p=said.p,
        at=step.at,
        output=step.output[-OUTPUT_SHOWN:],
        reasons=[f"{reason.source}: {reason.text}" for reason in said.answer.reasons],
    )
