"""What memory answers: notes with their reasons, what came of them, or that nothing is known."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from onward.data.errors import BundleError
from onward.data.events import Event, Feedback, Note
from onward.features.memory.fold import NAMES
from onward.features.sentences import About
from onward.models.base import Rows
from onward.models.memory import Ranker
from onward.serving.answers.base import Answerer, Part
from onward.serving.answers.memory import NO_EMBEDDER, NO_MODEL, NOTHING, Recaller
from onward.serving.questions.memory import MemoryRequest

NOW = 2e9
DECIDED = [
    ("which queue", "Use a table in the history as queue, not a broker: nothing to install."),
    ("retries of payments", "Never retry a payment: the provider has no idempotency keys."),
    ("where settings lie", "Settings lie in the state directory, one TOML file."),
    ("pinning torch", "Pin torch to the CPU wheels, the others are too large for the runners."),
]


class Hashed:
    """A real embedder of few lines: each word has a fixed vector."""

    about = About(kind="static", model="hashed", dim=32, max_tokens=64)

    def embed(self, texts: list[str]) -> NDArray[np.float32]:
        """(n, 32) unit vectors."""
        rows = np.zeros((len(texts), 32), np.float32)
        for place, text in enumerate(texts):
            for word in text.lower().split():
                seed = int.from_bytes(word.encode()[:6].ljust(6), "big")
                rows[place] += np.random.default_rng(seed).standard_normal(32)
        length = np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
        return np.asarray(rows / length, np.float32)


def filled(embedder: object = None, folder: Path | None = None) -> Recaller:
    """An answerer that knows what was decided."""
    answerer = Recaller(embedder, folder=folder, clock=lambda: NOW)  # type: ignore[arg-type]
    for number, (about, text) in enumerate(DECIDED):
        answerer.learn(
            Note(
                id=f"n-{number}",
                session="s",
                at=NOW - 86_400.0 * (number + 1),
                text=text,
                about=about,
                reasons=["measured"],
                project="p",
            )
        )
    return answerer


def told(number: int, note: str, query: str, *, helped: bool) -> Feedback:
    """What came of a note."""
    return Feedback(id=f"f-{number}", session="s", note=note, at=NOW, helped=helped, query=query)


def part(version: str = "v1", *, beats_peer: bool = True) -> Part:
    """A published ranker."""
    random = np.random.default_rng(0)
    X = random.random((200, len(NAMES))).astype(np.float32)
    y = (X[:, NAMES.index("tfidf")] > 0.5).astype(np.float64)
    model = Ranker().fit(Rows(X, y, np.arange(200).astype(str).astype(object), np.arange(200)))
    session = onnxruntime.InferenceSession(model.to_onnx())
    run: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    run = lambda rows: session.run(["p"], {"X": rows})[0]  # noqa: E731
    return Part(version, model.facts(), run, beats_peer)


def test_a_decision_is_recalled_with_its_reasons() -> None:
    """The note that answers comes first, with its words, its age, and what it was decided on."""
    answer = filled().answer(MemoryRequest(query="may I retry the payment?", project="p"))
    first = answer.notes[0]

    assert first.note.about == "retries of payments"
    assert first.note.reasons == ["measured"]
    assert {"retry", "payment"} <= set(first.why.words)
    assert first.why.age_days == pytest.approx(2.0)
    assert first.why.same_project
    assert answer.known == len(DECIDED)
    assert [r.p for r in answer.notes] == sorted((r.p for r in answer.notes), reverse=True)


def test_without_embedder_or_model_it_says_so() -> None:
    """Less than the full answer is flagged, with what is missing."""
    plain = filled().answer(MemoryRequest(query="queue"))
    vectors = filled(Hashed()).answer(MemoryRequest(query="which queue"))
    full = filled(Hashed())
    full.use(part())

    assert plain.note == f"{NO_EMBEDDER}; {NO_MODEL}"
    assert vectors.note == NO_MODEL
    assert vectors.notes[0].why.cosine is not None
    answer = full.answer(MemoryRequest(query="which queue"))
    assert (answer.note, answer.model) == ("", "v1")
    full.use(part(beats_peer=False))
    assert full.answer(MemoryRequest(query="which queue")).model == ""
    full.use(None)
    assert full.answer(MemoryRequest(query="which queue")).note == NO_MODEL


def test_nothing_relevant_is_said() -> None:
    """What no note is about gets no note, and an empty memory answers, too."""
    for answerer in (filled(), filled(Hashed()), Recaller()):
        answer = answerer.answer(MemoryRequest(query="zebra migration in the savannah"))

        assert (answer.notes, answer.sure) == ([], False)
        assert answer.note.startswith(NOTHING)


def test_what_misled_sinks_and_what_helped_rises() -> None:
    """Feedback moves a note's probability, down to where it is not given any more."""
    answerer = filled()
    ask = MemoryRequest(query="where do settings lie")
    before = answerer.answer(ask).notes[0]
    answerer.learn(told(0, before.note.id, ask.query, helped=True))
    risen = answerer.answer(ask).notes[0]
    for number in range(1, 61):
        answerer.learn(told(number, before.note.id, ask.query, helped=False))

    assert risen.p > before.p
    assert (risen.why.helped, risen.why.misled) == (1.0, 0.0)
    assert before.note.id not in {r.note.id for r in answerer.answer(ask).notes}


def test_it_answers_no_more_than_asked_for() -> None:
    """`most` bounds the notes, and the request's own bounds hold."""
    answerer = filled()

    assert len(answerer.answer(MemoryRequest(query="settings queue torch", most=2)).notes) == 2
    for body in (b'{"query":""}', b'{"query":"x","most":0}', b'{"query":"x","other":1}'):
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(body, type=MemoryRequest)


class Counting(Hashed):
    """The same, which counts the texts that it was given."""

    made = 0

    def embed(self, texts: list[str]) -> NDArray[np.float32]:
        """(n, 32) unit vectors."""
        self.made += len(texts)
        return super().embed(texts)


def test_it_is_a_function_of_the_log(tmp_path: Path) -> None:
    """Dumped and loaded it answers the same, and makes no vector anew that was kept beside it."""
    answerer = filled(Hashed(), tmp_path)
    answerer.tend()
    embedder = Counting()
    again = Recaller(embedder, folder=tmp_path, clock=lambda: NOW)  # type: ignore[arg-type]
    again.load(answerer.dump())
    again.tend()
    request = MemoryRequest(query="which queue do we use")

    assert isinstance(answerer, Answerer)
    assert embedder.made == 0
    assert again.answer(request) == answerer.answer(request)
    with pytest.raises(BundleError):
        again.load(b"no")


def test_answers_while_it_learns() -> None:
    """Questions of several threads are answered while notes come in, and none is lost."""
    answerer = filled(Hashed())
    events: list[Event] = [
        Note(id=f"x-{n}", session="s", text=f"fact{n} of thing{n} number{n}") for n in range(300)
    ]
    faults: list[BaseException] = []

    def ask() -> None:
        try:
            for number in range(60):
                answerer.answer(MemoryRequest(query=f"fact{number} settings queue"))
        except BaseException as error:  # whatever it is, the test must see it
            faults.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for event in events:
        answerer.learn(event)
    for thread in threads:
        thread.join()
    while answerer.tend():
        pass

    assert not faults
    assert answerer.answer(MemoryRequest(query="queue")).known == len(DECIDED) + 300
    assert answerer.memory.pending == 0
