"""What is served on each prompt of a log, and whether the first tool and the files were right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from experiments.held_out.sets import Log

from onward.data.events import Prompt, Step
from onward.features.intent.work import Work
from onward.features.sentences import Embedder
from onward.models.intent import Intent
from onward.serving.answers.base import Part
from onward.serving.answers.intent import IntentAnswerer
from onward.serving.questions.intent import IntentRequest, Intents
from onward.training.metrics import bootstrap

__all__ = ["Served", "hits", "walk"]


@dataclass
class Served:
    """What was served on a prompt, what the peers say of tool and files, and what came of it."""

    answer: Intents
    last_files: list[str]
    common: list[str]
    work: Work


def walk(log: Log, after: int, embedder: Embedder, model: Intent) -> list[Served]:
    """Every prompt after a place in the log as it is served: asked, then learned."""
    desk, asked, works = IntentAnswerer(embedder), list[Served](), dict[str, Work]()
    desk.use(Part("measured", model.facts(), lambda X: model.predict(X).astype(np.float32)))
    first: Counter[str] = Counter()
    touched: dict[str, None] = {}
    for seq, event in log:
        if isinstance(event, Prompt) and event.role != "interrupt":
            works[event.session] = Work()
            if seq > after:
                answer = desk.answer(_request(event))
                common = [name for name, _ in first.most_common(3)]
                last = [*touched][:-4:-1]
                asked.append(Served(answer, last, common, works[event.session]))
        elif isinstance(event, Step) and event.session in works:
            work = works[event.session]
            for path in work.add(event):
                touched.pop(path, None)
                touched[path] = None
            first[work.first] += work.steps == 1
        desk.learn(event)
    return asked


def _request(prompt: Prompt) -> IntentRequest:
    return IntentRequest(
        text=prompt.text or " ",
        agent=prompt.agent,
        project=prompt.project,
        session=prompt.session,
        at=max(prompt.at, 0.0),
        role=prompt.role,
    )


def hits(asked: list[Served]) -> dict[str, float]:
    """Shares of prompts whose first tool, and one of whose files, was named; and of peers."""
    began = [one for one in asked if one.work.first]
    changed = [one for one in asked if one.work.files]

    def share(hit: Callable[[Served], bool]) -> float:
        return float(np.mean([hit(one) for one in began])) if began else float("nan")

    return {
        "first_tool_top1": share(lambda one: one.work.first in one.answer.first_tools[:1]),
        "first_tool_top3": share(lambda one: one.work.first in one.answer.first_tools[:3]),
        "first_tool_top1.most_frequent": share(lambda one: one.work.first in one.common[:1]),
        "first_tool_top3.most_frequent": share(lambda one: one.work.first in one.common),
        **_file_hits(changed),
        "began": float(len(began)),
        "changed": float(len(changed)),
    }


def _file_hits(changed: list[Served]) -> dict[str, float]:
    """Whether any of three files was touched, beside the last touched, on the same draws."""
    if not changed:
        return {}
    ours = [bool({f.path for f in one.answer.files[:3]} & {*one.work.files}) for one in changed]
    last = [bool({*one.last_files} & {*one.work.files}) for one in changed]
    gains = np.array(ours, np.float64) - np.array(last, np.float64)
    gain = bootstrap(lambda y, _: float(y.mean()), gains, gains, bounds=(-1.0, 1.0))
    return {
        "files_hit_at_3": float(np.mean(ours)),
        "files_hit_at_3.last_touched": float(np.mean(last)),
        "files_hit_at_3.gain_low": gain.low,
        "files_hit_at_3.gain_high": gain.high,
    }
