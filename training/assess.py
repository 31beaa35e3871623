"""How a published version does on what came after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import numpy as np

from onward.data.errors import NotFound
from onward.data.events import Event, Step
from onward.data.store import History
from onward.decisions.policy import execute_from
from onward.features.examples import Examples, examples
from onward.models.traits import traits_of
from onward.training.candidate import as_served, counts_of
from onward.training.evaluate import RATES, Evaluation, Judged, band_at, base_rate, evaluate
from onward.training.settings import TrainSettings
from onward.training.shelf import Shelf
from onward.training.veteran import Veteran, load_veteran

__all__ = ["LEAST", "Assessed", "assess", "assessed"]

LEAST = 100
"""Later outcomes below which nothing is judged."""


class Assessed(msgspec.Struct, frozen=True, kw_only=True):
    """A version's figures."""

    version: str
    text: str
    """What they rest on, as a sentence."""
    evaluation: Evaluation | None
    """On later steps; None where there are too few of them."""
    metrics: dict[str, float]
    """From its own training, on steps that the judged fit had not seen."""


def assess(
    settings: TrainSettings,
    version: str | None = None,
    *,
    progress: Callable[[str, float], None] | None = None,
) -> Assessed:
    """Judge a version on the history's later steps.

    Parameters
    ----------
    settings
        Where history and versions lie.
    version
        None = the one that answers.
    progress
        Told how far it is.

    Raises
    ------
    NotFound
        There is no such version, or none answers yet.
    BundleError
        It is damaged or made for other features.
    """
    tell = progress or (lambda stage, share: None)
    shelf = Shelf(settings.home_dir)
    name = version or shelf.current()
    if name is None:
        raise NotFound("No version answers yet. Run: onward train")
    veteran = load_veteran(shelf, name)
    tell("folding what came after", 0.0)
    with History.open(settings.history_url, read_only=True) as history:
        result = assessed(veteran, history, seed=settings.seed)
    tell("folding what came after", 1.0)
    return result


def assessed(veteran: Veteran, history: History, *, seed: int = 0) -> Assessed:
    """Judge a loaded version on the steps after its last event."""
    events = history.scan(after=veteran.manifest.last_seq)
    steps: dict[int, tuple[int, ...]] = {}

    def noting() -> Iterator[tuple[int, Event]]:
        for seq, event in events:
            if isinstance(event, Step):
                steps[seq] = traits_of(event)
            yield seq, event

    table = examples(noting(), veteran.fold())
    rows = table[table.ran]
    evaluation = None
    text = f"{len(rows)} later outcomes are too few to judge by; these are from its own training"
    if len(rows) >= LEAST:
        traits = [steps[seq] for seq in rows.seq.tolist()]
        evaluation = _judged(veteran, rows, traits, seed=seed)
        text = f"judged on the {len(rows):,} outcomes that came after it"
    manifest = veteran.manifest
    return Assessed(
        version=manifest.version, text=text, evaluation=evaluation, metrics=dict(manifest.metrics)
    )


def _judged(
    veteran: Veteran, rows: Examples, traits: list[tuple[int, ...]], *, seed: int
) -> Evaluation:
    """The version as served, beside counts and base rate; its bands as it published them."""
    frozen = veteran.frozen(rows.X)
    said = {
        "model": as_served(frozen, rows, traits, online=veteran.online()),
        "frozen model": frozen,
        "counts": counts_of(rows.X),
        "base rate": base_rate(rows.succeeded, len(rows)),
    }
    test = Judged(rows.succeeded, said, rows.session.astype(str))
    result = evaluate(test, seed=seed)
    risk = {float(rate): threshold for rate, threshold in veteran.manifest.risk.items()}
    begins = {rate: execute_from(risk.get(rate, np.inf)) for rate in RATES}
    bands = [band_at(test, "model", rate, begin) for rate, begin in begins.items()]
    first = msgspec.structs.replace(result.scores[0], bands=bands)
    return msgspec.structs.replace(result, scores=[first, *result.scores[1:]])
