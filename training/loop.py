"""The learning loop: history in, a published version out.

`train` goes through it once, readable from top to bottom. MLflow may be away at any time: the
version is published all the same, and the result says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.errors import BundleError, NotEnoughData, NotFound, Unavailable
from onward.data.store import History
from onward.decisions.risk import Threshold
from onward.features.examples import Examples
from onward.features.sentences import Embedder, lazy_embedder
from onward.training.candidate import (
    RATES,
    Candidate,
    fitted,
    parts_of,
    promised,
    refitted,
)
from onward.training.card import card
from onward.training.catalogue import all_systems
from onward.training.draft import Draft
from onward.training.evaluate import Evaluation, evaluate
from onward.training.gate import Ruling, judge
from onward.training.hearing import PEERS, Hearing, hear
from onward.training.plots import png, reliability_plot, risk_coverage_plot
from onward.training.publish import new_version, publish
from onward.training.rehearsal import rehearsal
from onward.training.rows import folded
from onward.training.sentences import prepared
from onward.training.settings import TrainSettings
from onward.training.shelf import Shelf
from onward.training.split import Fractions, by_own_time
from onward.training.succession import succession
from onward.training.systems import MAX_EVENTS, fit_systems
from onward.training.tracking import Record, Tracked, Tracker
from onward.training.unseen import in_unseen_projects
from onward.training.veteran import Veteran, load_veteran

__all__ = ["Advance", "Trained", "train"]

Advance = Callable[[str, float], None]
"""Called with a stage's name and its share done, 0 to 1."""

SIGNATURE_ROWS = 5


class Trained(msgspec.Struct, frozen=True, kw_only=True):
    """What one pass of the loop came to."""

    version: str
    live: str | None
    """The version that answers now; None = rules and counts do."""
    ruling: Ruling
    evaluation: Evaluation
    """By time: on the newest steps."""
    unseen: Evaluation | None
    """By group: in projects that were left out of a fit; None with fewer than four of them."""
    promise: Threshold
    """The execute band of the stated error rate."""
    steps: int
    """Steps with a known outcome that were learned from."""
    last_seq: int
    seconds: float
    tracked: Tracked | None
    """Where MLflow has it; None = MLflow is away."""
    notes: list[str]
    """What a person should know, such as that MLflow is away."""
    beside: dict[str, str] = {}
    """The gate's word on every learned system beside decisions."""


def train(settings: TrainSettings, *, progress: Advance | None = None) -> Trained:
    """Go through the loop once.

    Parameters
    ----------
    settings
        Where everything lies, and what is promised.
    progress
        Told how far each stage is.

    Raises
    ------
    NotEnoughData
        The history holds too few outcomes, or too few of one kind.
    NotFound, StoreError
        There is no history, or it cannot be read.
    BundleError
        The exported model is not the fitted one; nothing was published.
    """
    begin, tell = time.monotonic(), progress or (lambda stage, share: None)
    shelf, notes = Shelf(settings.home_dir), list[str]()
    with History.open(settings.history_url, read_only=True) as history:
        data = folded(
            history,
            cache=settings.home_dir / "cache",
            tell=lambda share: tell("folding the history", share),
        )
        ran = np.flatnonzero(data.table.ran)
        rows = _enough(data.table[ran] if len(ran) < len(data.table) else data.table, settings)
        parts = parts_of(by_own_time(rows.lent, _fractions(settings)))

        def traits(numbers: NDArray[np.int64]) -> list[tuple[int, ...]]:
            return data.traits.of(ran[numbers])

        tell("folding the history", 1.0)
        tell("rehearsing", 0.0)
        more = rehearsal(history, rows[: len(parts.fit)], seed=settings.seed)
        tell("rehearsing", 1.0)
        parts_beside, missing = fit_systems(
            all_systems(_sentences(settings, notes), settings.home_dir, wanted=settings.has),
            partial(history.scan, after=max(0, data.last_seq - MAX_EVENTS), until=data.last_seq),
            seed=settings.seed,
            tell=tell,
        )
        notes += missing
    tell("fitting", 0.0)
    candidate = fitted(data.table, rows, parts, more=more, seed=settings.seed)
    hearing = hear(candidate, rows, parts, traits(parts.later))
    tell("fitting", 1.0)
    tell("judging beside the peers", 0.0)
    evaluation = evaluate(
        hearing.judged(hearing.test),
        hearing.judged(hearing.promise),
        confidence=settings.confidence,
        seed=settings.seed,
    )
    unseen = in_unseen_projects(
        rows,
        traits,
        _fractions(settings),
        confidence=settings.confidence,
        seed=settings.seed,
    )
    promises = _promises(hearing, settings)
    promise = next(p for p in promises if p.rate == settings.error_rate)
    beside = partial(
        succession,
        candidate,
        hearing,
        table=data.table,
        rows=rows,
        traits=traits,
        more=more,
        promises=bool(np.isfinite(promise.value)),
        seed=settings.seed,
    )
    ruling = _ruling(hearing, shelf, notes, beside, seed=settings.seed)
    tell("judging beside the peers", 1.0)
    tell("publishing", 0.0)
    draft = Draft(
        version=new_version(data.digest),
        candidate=refitted(candidate, data.table, rows, more=more, seed=settings.seed),
        fold=data.fold,
        online=hearing.online,
        history=data.digest,
        last_seq=data.last_seq,
        rows=rows,
        promises=promises,
        evaluation=evaluation,
        unseen=unseen,
        ruling=ruling,
        settings=_params(settings),
        parts=parts_beside,
    )
    publish(draft, shelf)
    _place(draft, shelf)
    shelf.prune(keep=settings.keep)
    tell("publishing", 1.0)
    tell("tracking in MLflow", 0.0)
    tracked = _track(draft, settings, notes)
    tell("tracking in MLflow", 1.0)
    return Trained(
        version=draft.version,
        live=shelf.current(),
        ruling=ruling,
        evaluation=evaluation,
        unseen=unseen,
        promise=promise,
        steps=len(rows),
        last_seq=data.last_seq,
        seconds=time.monotonic() - begin,
        tracked=tracked,
        notes=notes,
        beside={part.name: part.about.ruling for part in parts_beside},
    )


def _sentences(settings: TrainSettings, notes: list[str]) -> Embedder | None:
    """The sentence model, exported on first use; without it texts are compared by their words."""
    if not settings.has("sentences"):
        return None
    try:
        return lazy_embedder(prepared(settings.home_dir, model=settings.sentence_model))
    except Unavailable as error:
        notes.append(f"{error.message} Texts are compared by their words alone.")
        return None


def _fractions(settings: TrainSettings) -> Fractions:
    """The shares of the newest rows, as they are set."""
    return Fractions(calibrate=settings.calibrate_share, test=settings.test_share)


def _enough(rows: Examples, settings: TrainSettings) -> Examples:
    """The rows, if they suffice."""
    if len(rows) < settings.least_steps:
        raise NotEnoughData(
            f"The history holds {len(rows)} steps with a known outcome; training needs "
            f"{settings.least_steps}. Record or import more.",
            steps=len(rows),
            needed=settings.least_steps,
        )
    return rows


def _ruling(
    hearing: Hearing,
    shelf: Shelf,
    notes: list[str],
    beside: Callable[[Veteran], Ruling],
    *,
    seed: int,
) -> Ruling:
    """The gate's word: *beside* the live version, or where there is none against the peers."""
    if (live := shelf.current()) is not None:
        try:
            return beside(load_veteran(shelf, live))
        except (BundleError, NotFound) as error:
            notes.append(f"The live version cannot be measured: {error.message}")
    test = hearing.judged(hearing.test)
    peers = {name: test.said[name] for name in PEERS}
    return judge(test.y, test.said["model"], peers, groups=test.groups, seed=seed)


def _place(draft: Draft, shelf: Shelf) -> None:
    """Let the new version decide if it passed; a live one that cannot answer makes room anyway.

    The systems beside decisions were judged each by itself, so theirs answer either way.
    """
    if draft.ruling.passed:
        shelf.promote(draft.version, why=draft.ruling.text)
        return
    if (live := shelf.current()) and (fault := shelf.fault(live)):
        shelf.retire(why=f"{live}: {fault}")
    if draft.parts:
        shelf.predict_with(draft.version, why=f"for questions only; {draft.ruling.text}")


def _promises(hearing: Hearing, settings: TrainSettings) -> list[Threshold]:
    """The thresholds that are published.

    They rest on the judged rows, too: these have been judged by now, and no part of the model has
    seen their outcomes before it spoke.
    """
    unseen = hearing.promise | hearing.test
    return promised(
        hearing.said["model"][unseen],
        hearing.rows[unseen],
        rates=sorted({*RATES, settings.error_rate}),
        confidence=settings.confidence,
    )


def _params(settings: TrainSettings) -> dict[str, object]:
    """The settings that shape a model."""
    names = ("seed", "calibrate_share", "test_share", "error_rate", "confidence")
    return {name: getattr(settings, name) for name in names}


def _track(draft: Draft, settings: TrainSettings, notes: list[str]) -> Tracked | None:
    """Tell MLflow; where it is away, note it."""
    try:
        tracker = Tracker(settings.tracking_uri, artifacts=settings.artifacts)
        return tracker.log(_record(draft), alias=draft.ruling.alias)
    except Unavailable as error:
        notes.append(f"{error.message} The version was published all the same.")
        return None


def _record(draft: Draft) -> Record:
    """What MLflow keeps of a run."""
    confidence, evaluation = draft.candidate.confidence, draft.evaluation
    X = draft.rows.X[-SIGNATURE_ROWS:]
    facts = confidence.card()
    curve = risk_coverage_plot(evaluation.curve, rate=draft.settings["error_rate"])
    return Record(
        version=draft.version,
        params={
            **draft.settings,
            **facts.pop("settings"),
            **facts,
            "calibration": draft.candidate.choice.calibrator.method,
        },
        metrics=draft.metrics() | _calibration_metrics(draft.candidate),
        data_digest=draft.history,
        data_rows=len(draft.rows),
        onnx=confidence.to_onnx(),
        rows=X,
        predictions=np.stack([1 - (p := confidence.predict(X)), p], axis=1).astype(np.float32),
        texts={"card.md": card(draft)},
        files={f"{part.name}.onnx": part.onnx for part in draft.parts},
        plots={
            "reliability.png": png(reliability_plot(evaluation.reliability)),
            "risk_coverage.png": png(curve),
        },
    )


def _calibration_metrics(candidate: Candidate) -> dict[str, float]:
    """How every method of calibration did on rows that it was not fitted on."""
    return {
        f"calibration.{score.method}.log_loss": score.log_loss for score in candidate.choice.scores
    }
