"""The wiring of a replay: what serves is the core, what trains makes the models."""

from __future__ import annotations

from dataclasses import dataclass

from onward.cli.output import Advance
from onward.cli.state import open_history, shelf, train_settings
from onward.data.errors import NotFound
from onward.data.events import Step
from onward.data.store import History
from onward.decisions.policy import PolicySettings
from onward.decisions.rulebook import Rulebook
from onward.serving.bundle import load
from onward.serving.settings import Settings
from onward.serving.state import State
from onward.training.learner import Learner
from onward.training.replay import Summary
from onward.training.replayed import Replayed
from onward.training.walk import Player, Walk

__all__ = ["Plan", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What kind of replay."""

    blocks: int
    warmup: float
    frozen: bool
    error_rate: float | None
    earn: bool


def run(history: History, plan: Plan, *, source: str, progress: Advance) -> Replayed:
    """Walk through a history and sum up.

    Raises
    ------
    NotEnoughData
        No step is left whose outcome is known.
    NotFound
        A frozen replay without a live model.
    """
    settings = Settings.from_env(error_rate=plan.error_rate)
    policy = PolicySettings(
        error_rate=settings.error_rate, confidence=settings.confidence, earn=plan.earn
    )
    rules = Rulebook.load(settings.rule_files, state=settings.home)
    total = history.count()["Step"]
    if plan.frozen:
        state, after, known = _as_live(history, settings)
        walk, borders = Walk(Player(state, policy, rules), None, []), []
    else:
        borders = [_first(total, plan), *_later(total, plan)]
        learner = Learner(train_settings(error_rate=plan.error_rate))
        walk, after, known = Walk(Player(State(), policy, rules), learner, borders), 0, set[str]()
    summary = Summary(borders)
    for number, said in enumerate(walk.over(history.scan(after=after))):
        counts = said.step.id not in known if plan.frozen else number >= borders[0]
        summary.add(said, counts=counts)
        if number % 100 == 0:
            progress("replaying", number / max(total, 1))
    progress("replaying", 1.0)
    return summary.result(source=source, how=_how(plan), policy=policy)


def _first(total: int, plan: Plan) -> int:
    """How many steps are learned from before the first one counts."""
    return round(total * plan.warmup)


def _later(total: int, plan: Plan) -> list[int]:
    """Before which further steps a model is trained anew."""
    first = _first(total, plan)
    return [first + (total - first) * block // plan.blocks for block in range(1, plan.blocks)]


def _as_live(history: History, settings: Settings) -> tuple[State, int, set[str]]:
    """The state that would answer now, the event it stands at, and the steps it was trained on."""
    bundles = shelf()
    version = bundles.current()
    if version is None:
        raise NotFound("No model answers yet, so none can be replayed. Run: onward train")
    bundle = load(bundles.path(version), error_rate=settings.error_rate)
    state = State(bundle, fold=bundle.fold(), online=bundle.online(), seq=bundle.last_seq)
    if bundle.folds(history):
        for _, event in history.scan(until=bundle.last_seq):
            state.past.learn(event)
        return state, bundle.last_seq, set()
    with open_history(settings.history_url, read_only=True) as own:
        steps = own.scan(until=bundle.last_seq, kinds=(Step,))
        return state, 0, {step.id for _, step in steps if isinstance(step, Step)}


def _how(plan: Plan) -> str:
    """How the model came about, as a sentence."""
    if plan.frozen:
        return "The live model answered, on steps that it was not trained on."
    return (
        f"After the first {plan.warmup:.0%} of the steps a model was trained, and anew before each "
        f"of {plan.blocks} blocks of time, each on the steps before it."
    )
