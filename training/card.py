"""The model card: what a version is, what it rests on, how good it is, and where it fails."""

from __future__ import annotations

import numpy as np

from onward.decisions.risk import Threshold
from onward.features.fold import VERSION
from onward.training.candidate import Candidate
from onward.training.draft import Draft
from onward.training.evaluate import Evaluation

__all__ = ["PROMISED_FOR", "card", "promise_line"]

PROMISED_FOR = (
    "tested on held-out steps, for a fit of the same kind; what ships was fitted on these as well, "
    "up to 200,000 steps, and the guardrail corrects it"
)
"""What a threshold rests on, as a clause."""


def card(draft: Draft) -> str:
    """The card as Markdown."""
    head = draft.candidate.confidence.card()
    first = draft.evaluation.scores[0]
    lines = [
        f"# {draft.version}",
        "",
        f"{draft.ruling.text}.",
        "",
        "## What it is",
        f"- P(success): {head['kind']}; {head['target']}.",
        f"- Fitted on {head['rows']:,} steps of {head['projects']} projects; "
        f"{head['failures']:.1%} of them failed. Agents: {', '.join(head['agents']) or 'unnamed'}.",
        f"- Calibration: {draft.candidate.choice.calibrator.method}, then corrected online.",
        f"- P(approve): {_approval_line(draft.candidate)}",
        f"- History {draft.history[:12]} up to event {draft.last_seq:,}; features {VERSION}.",
        "",
        "## How good it is",
        f"On the {draft.evaluation.n:,} newest steps, by a fit that had seen none of them:",
        "",
        *_table(draft.evaluation),
        "",
        *_unseen(draft.unseen),
        *_beside(draft),
        "## What it promises",
        *(f"- {promise_line(p)}" for p in draft.promises),
        "",
        f"{PROMISED_FOR.capitalize()}.",
        "",
        "## Where it fails",
        f"Its probabilities were off by {first.ece.value:.3f} on average. A promise holds while "
        "steps come as they came; in other times the online layer follows with a delay. "
        "A step that succeeds is not thereby wanted, nor can it always be undone.",
        "",
    ]
    return "\n".join(lines)


def _table(evaluation: Evaluation) -> list[str]:
    """A model beside its peers."""
    rows = (f"| {s.name} | {s.auc} | {s.brier} | {s.ece} |" for s in evaluation.scores)
    return ["| | AUC | Brier | ECE |", "|---|---|---|---|", *rows]


def _unseen(evaluation: Evaluation | None) -> list[str]:
    """The same for projects that were left out of a fit of its own."""
    if evaluation is None:
        return []
    text = (
        f"On {evaluation.n:,} steps of projects that it never saw (fitted once more, without them):"
    )
    return [text, "", *_table(evaluation), ""]


def _beside(draft: Draft) -> list[str]:
    """One line a learned system beside decisions."""
    if not draft.parts:
        return []
    lines = (f"- {part.name.replace('_', ' ')}: {part.about.ruling}." for part in draft.parts)
    return ["## What else it predicts", *lines, "Where the peer is not beaten, it answers.", ""]


def _approval_line(candidate: Candidate) -> str:
    """What the approval head rests on."""
    if candidate.approval is None:
        return "no head of its own, refusals were too few to learn from."
    facts = candidate.approval.card()
    return f"{facts['kind']}; {facts['rows']:,} steps, {facts['refused']:.1%} of them refused."


def promise_line(promise: Threshold) -> str:
    """One stated error rate and what it takes, as a sentence."""
    lead = f"at most {promise.rate:.0%} errors with {promise.confidence:.0%} confidence: "
    if not np.isfinite(promise.value):
        return f"{lead}{promise.n:,} steps do not suffice, ask"
    return f"{lead}execute from P(success) {promise.value:.3f} on, {promise.coverage:.0%} of steps"
