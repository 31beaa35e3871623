"""Intent: prompts, what they led to, and what is said of a new one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnxruntime
import pytest

from onward.data.errors import BundleError, NotEnoughData
from onward.data.events import Event, Outcome, Prompt, Step
from onward.features.intent.fold import NAMES, IntentFold
from onward.features.intent.work import KINDS, Work
from onward.models.base import Learned, Rows
from onward.models.intent import Intent, peers, rows
from onward.serving.answers.base import Answerer, Part
from onward.serving.answers.intent import IntentAnswerer
from onward.serving.questions.intent import IntentRequest

ASKS = {
    "fix": ("fix the broken parser in src/p{n}.py", "Edit", {"file_path": "src/p{n}.py"}),
    "document": ("describe step {n} in the readme", "Edit", {"file_path": "README.md"}),
    "write": ("create a module called m{n}", "Write", {"file_path": "m{n}.py", "content": "x"}),
    "read": ("look at what f{n} does", "Read", {"file_path": "f{n}.py"}),
    "run": ("start the server number {n}", "Bash", {"command": "python serve.py {n}"}),
    "commit": ("push it all, take {n}", "Bash", {"command": "git push origin b{n}"}),
    "install": ("we need package{n}", "Bash", {"command": "pip install package{n}"}),
}


def talk(count: int, *, sessions: int = 1_000_000) -> Iterator[tuple[int, Event]]:
    """Prompts in turn of every kind, each followed by a step that does it."""
    kinds = list(ASKS)
    for n in range(count):
        words, tool, given = ASKS[kinds[(n * 5 + n // 3) % len(kinds)]]
        session = f"s{n % sessions}"
        text = words.format(n=n)
        yield 2 * n + 1, Prompt(id=f"p{n}", session=session, text=text, at=60.0 * (n + 1))
        yield (
            2 * n + 2,
            Step(
                id=f"t{n}",
                session=session,
                tool=tool,
                input={name: value.format(n=n) for name, value in given.items()},
                outcome=Outcome.OK,
                at=60.0 * (n + 1),
            ),
        )


@pytest.fixture(scope="module")
def table() -> Rows:
    """Four hundred prompts as rows."""
    return rows(talk(400))


@pytest.fixture(scope="module")
def model(table: Rows) -> Intent:
    """Fitted to them."""
    return Intent().fit(table, seed=1)


def _part(model: Intent) -> Part:
    session = onnxruntime.InferenceSession(model.to_onnx())
    return Part("v1", model.facts(), lambda X: session.run(["p"], {"X": X})[0])


@pytest.mark.parametrize("kind", list(ASKS))
def test_the_kind_of_work_follows_from_the_steps(kind: str) -> None:
    """Steps of one kind make work of that kind; no step at all was an answer in words."""
    work = Work()
    assert work.kind == "ask"
    _, tool, given = ASKS[kind]
    step = Step(id="a", session="s", tool=tool, input=given, outcome=Outcome.OK)
    work.add(step)

    assert work.kind == kind


def test_steps_that_were_not_let_through_tell_nothing() -> None:
    """A rejected step is no work."""
    step = Step(id="a", session="s", tool="Bash", input={"command": "ls"}, outcome=Outcome.REJECTED)
    work = Work()
    work.add(step)

    assert work == Work()


def test_a_prompt_is_known_before_its_steps_only(table: Rows) -> None:
    """What a prompt led to does not change its own row: no peeking."""
    log = list(talk(60))
    last = max(place for place, (_, event) in enumerate(log) if isinstance(event, Prompt))
    cut = rows(log[: last + 1])
    whole = rows(log)

    assert np.array_equal(cut.X[-1], whole.X[-1], equal_nan=True)
    assert cut.y[-1] == KINDS.index("ask") != whole.y[-1]


def test_the_model_keeps_the_contract(model: Intent, table: Rows) -> None:
    """It is a learned system, gives a distribution over the kinds, and says what it is."""
    p = model.predict(table.X)

    assert isinstance(model, Learned)
    assert p.shape == (len(table), len(KINDS))
    assert np.allclose(p.sum(axis=1), 1.0)
    assert np.array_equal(p, model.predict(table.X))
    assert model.card()["rows"] == len(table)


def test_fitting_is_repeatable_and_rows_are_predicted_alike(model: Intent, table: Rows) -> None:
    """The same seed gives the same model; together and one by one it says the same."""
    again = Intent().fit(table, seed=1)
    alone = np.concatenate([model.predict(table.X[n : n + 1]) for n in range(20)])

    assert np.array_equal(again.predict(table.X), model.predict(table.X))
    assert np.allclose(alone, model.predict(table.X[:20]), atol=1e-12)


def test_onnx_says_what_the_model_says(model: Intent, table: Rows) -> None:
    """The export differs by at most 1e-5, also where nothing is known."""
    nothing = np.zeros((1, len(NAMES)), np.float32)
    X = np.concatenate([table.X, nothing])

    assert np.abs(_part(model).run(X) - model.predict(X)).max() <= 1e-5


def test_it_beats_its_peers_where_words_tell(table: Rows) -> None:
    """On later prompts it is never right less often than a peer, and more often than the dumb."""
    train, test = table[:300], table[300:]
    right = (Intent().fit(train).predict(test.X).argmax(axis=1) == test.y).mean()

    said = peers(train, test)
    hits = {name: (p.argmax(axis=1) == test.y).mean() for name, p in said.items()}

    assert all(np.allclose(p.sum(axis=1), 1.0) for p in said.values())
    assert right >= max(hits.values())
    assert right > max(hits["most frequent"], hits["last prompt"])


def test_too_few_prompts_are_said() -> None:
    """With a handful of prompts nothing is learned."""
    with pytest.raises(NotEnoughData, match="too few"):
        Intent().fit(rows(talk(30)))


def test_a_fold_that_was_saved_goes_on_the_same() -> None:
    """Dump and load change no later vector, whatever was open."""
    log = [event for _, event in talk(80, sessions=7)]
    whole, half = IntentFold(), IntentFold()
    for event in log[:91]:
        whole.learn(event)
        half.learn(event)
    half = IntentFold.load(half.dump())
    for event in log[91:]:
        if isinstance(event, Prompt):
            assert np.array_equal(whole.vector(event), half.vector(event), equal_nan=True)
        whole.learn(event)
        half.learn(event)
    with pytest.raises(BundleError):
        IntentFold.load(b"cut")


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Old prompts are forgotten, and what is left still answers."""
    monkeypatch.setattr("onward.features.intent.fold.MAX_PROMPTS", 50)
    fold = IntentFold()
    for _, event in talk(300):
        fold.learn(event)

    assert len(fold) == 50
    assert len(fold.dump()) < 600_000
    assert fold.nearest("fix the broken parser")[0].past.work.kind == "fix"


def test_an_answer_says_what_it_rests_on(model: Intent) -> None:
    """The likeliest kind comes first, with like prompts and what was then done."""
    desk = IntentAnswerer()
    for _, event in talk(200):
        desk.learn(event)
    desk.use(_part(model))
    asked = IntentRequest(text="fix the broken parser in src/p1.py")
    answer = desk.answer(asked)

    assert isinstance(desk, Answerer)
    assert answer == desk.answer(asked)
    assert answer.intents[0].kind == "fix"
    assert sum(intent.probability for intent in answer.intents) == pytest.approx(1.0)
    assert answer.like[0].kind == "fix"
    assert answer.model == "v1"
    assert answer.note == ""


def test_it_goes_ahead_where_its_readings_were_right_often_enough(model: Intent) -> None:
    """Sure readings of work that can be undone go ahead, and the answer says what that rests on."""
    desk = IntentAnswerer()
    desk.use(_part(model))
    before = desk.answer(IntentRequest(text="fix the broken parser in src/p1.py"))
    for _, event in talk(400):
        desk.learn(event)
    fix = desk.answer(IntentRequest(text="fix the broken parser in src/p1.py"))
    push = desk.answer(IntentRequest(text="push it all, take 5"))

    assert not before.go_ahead
    assert before.ahead_from is None
    assert fix.go_ahead
    assert fix.sure >= (fix.ahead_from or 1.0)
    assert "80% right" in fix.rests_on
    assert push.intents[0].kind == "commit"
    assert not push.go_ahead


def test_a_desk_that_was_saved_goes_on_the_same(model: Intent) -> None:
    """Dump and load change no later answer, what was read and is not judged yet included."""
    log = [event for _, event in talk(120)]
    whole, half = IntentAnswerer(), IntentAnswerer()
    for event in log[:171]:
        whole.learn(event)
    half.load(whole.dump())
    for desk in (whole, half):
        desk.use(_part(model))
        for event in log[171:]:
            desk.learn(event)
    asked = IntentRequest(text="create a module called m7")

    assert whole.answer(asked) == half.answer(asked)
    with pytest.raises(BundleError):
        half.load(b"cut")


def test_without_a_model_the_peer_answers_and_never_goes_ahead() -> None:
    """Before the first prompt and without a model there is an answer, and it says so."""
    desk = IntentAnswerer()
    empty = desk.answer(IntentRequest(text="hello"))
    for _, event in talk(100):
        desk.learn(event)
    answer = desk.answer(IntentRequest(text="push it all, take 7"))

    assert len(empty.intents) == len(KINDS)
    assert answer.intents[0].kind == "commit"
    assert not answer.go_ahead
    assert "No model" in answer.note
