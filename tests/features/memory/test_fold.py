"""Memory as a fold: what comes in is found again, copies join, what misled sinks."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onward.data.errors import BundleError
from onward.data.events import Event, Feedback, Note, Outcome, Step
from onward.features.memory.fold import NAMES, Candidates, Memory
from onward.features.memory.kept import HALF_LIFE_S, Facts, Kept
from onward.features.sentences import Embedder, open_embedder

_TEXT = (
    "take the lock file before writing settings use a queue for slow jobs never retry payments "
    "tests run with random order cache keys hold version pin torch on cpu wheels roll back by tag"
)
WORDS = _TEXT.split()


def note(number: int, text: str, **fields: object) -> Note:
    """A note with an id of its own."""
    return Note(id=f"n-{number}", session="s", text=text, **fields)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    """A small static embedder: a vector for each word."""
    folder = tmp_path_factory.mktemp("embedder")
    vocabulary = {word: place for place, word in enumerate(["[UNK]", *sorted(set(WORDS))])}
    model = {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"}
    body = {"version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "Whitespace"}}
    (folder / "tokenizer.json").write_text(json.dumps({**body, "model": model}))
    table = np.random.default_rng(0).standard_normal((len(vocabulary), 12)).astype(np.float32)
    np.save(folder / "table.npy", table)
    about = {"kind": "static", "model": "small", "dim": 12, "max_tokens": 64}
    (folder / "sentences.json").write_text(json.dumps(about))
    return open_embedder(folder)


def ask(memory: Memory, query: str, **how: object) -> Candidates:
    """What a question finds."""
    return memory.candidates(query, memory.vector(query), **how)  # type: ignore[arg-type]


def column(found: Candidates, name: str) -> dict[int, float]:
    """One column by slot."""
    return dict(zip(found.slots.tolist(), found.X[:, NAMES.index(name)].tolist(), strict=True))


def test_a_note_is_found_by_words_and_by_vectors(embedder: Embedder) -> None:
    """Before its vector is made a note is found by its words, then by both."""
    memory = Memory(embedder)
    for number in range(0, len(WORDS) - 4, 4):
        memory.learn(note(number, " ".join(WORDS[number : number + 4])))
    first = ask(memory, "lock file")

    assert memory.pending == len(memory)
    assert np.isnan(list(column(first, "cosine").values())).all()
    while memory.embed(3):
        pass
    found = column(ask(memory, "lock file"), "cosine")
    best = max(found, key=lambda slot: found[slot])

    assert memory.pending == 0
    assert memory[best].note.text == "take the lock file"


def test_copies_join_and_answer_to_either_id(embedder: Embedder) -> None:
    """What is noted again counts up, and feedback reaches it by any of its ids."""
    memory = Memory(embedder)
    memory.learn(note(1, "Take the lock file before writing.", at=10.0))
    memory.learn(note(2, "take the LOCK file, before writing", at=20.0))
    memory.learn(note(3, "take no lock file before writing"))
    memory.learn(note(2, "take the LOCK file, before writing", at=20.0))
    memory.learn(Feedback(id="f", session="s", note="n-2", helped=False))
    slot = memory.slot("n-2")

    assert len(memory) == 2
    assert slot is not None
    assert slot == memory.slot("n-1")
    assert (memory[slot].count, memory[slot].misled, memory[slot].last) == (2, 1.0, 20.0)


def test_projects_do_not_join() -> None:
    """The same words decided in two projects are two decisions."""
    memory = Memory()
    memory.learn(note(1, "use a queue", project="a"))
    memory.learn(note(2, "use a queue", project="b"))
    found = ask(memory, "queue", project="b")

    assert sorted(column(found, "same_project").values()) == [0.0, 1.0]


def test_usefulness_follows_feedback_and_fades() -> None:
    """What misled sinks, what helped rises, and either weighs half after a half-life."""
    kept = Kept(note(1, "x"))
    for _ in range(3):
        kept.judge(helped=False, at=1e9)

    assert kept.useful(1e9) == pytest.approx(-np.log(4.0))
    assert kept.useful(1e9 + HALF_LIFE_S) == pytest.approx(-np.log(2.5))
    kept.judge(helped=True, at=1e9 + HALF_LIFE_S)
    assert kept.evidence(1e9 + HALF_LIFE_S) == pytest.approx((1.0, 1.5))


def test_facts_are_those_of_the_notes() -> None:
    """The columns of many notes are what each note says of itself."""
    facts, notes = Facts(), []
    for slot in range(300):
        kept = Kept(note(slot, "x", project=f"p{slot % 2}"), count=1 + slot, last=1e9 + slot)
        kept.judge(helped=bool(slot % 3), at=1e9)
        facts.put(slot, kept)
        notes.append(kept)
    now = 1e9 + 5 * 86_400.0
    found = facts.columns(np.arange(300), project="p1", now=now)

    assert found[:, 0].tolist() == [slot % 2 for slot in range(300)]
    assert found[:, 2] == pytest.approx([kept.useful(now) for kept in notes])
    assert found[:, 3] == pytest.approx(np.log(np.arange(1, 301)))


def test_memory_is_bounded() -> None:
    """On a long stream no more than the capacity is kept; what helped stays, what misled goes."""
    memory = Memory(capacity=50)
    memory.learn(note(-1, "always take backups"))
    memory.learn(note(-2, "drop the staging tables"))
    memory.learn(Feedback(id="f1", session="s", note="n--1", helped=True))
    memory.learn(Feedback(id="f2", session="s", note="n--2", helped=False))
    for number in range(2_000):
        memory.learn(note(number, f"word{number} topic{number} fact{number}", at=float(number)))

    assert len(memory) == 50
    assert memory.slot("n--1") is not None
    assert memory.slot("n--2") is None
    assert len(memory.dump()) < 40_000


EVENTS = st.lists(
    st.builds(
        lambda number, text, at: note(number, " ".join(text), at=float(at)),
        st.integers(0, 30),
        st.lists(st.sampled_from(WORDS), min_size=1, max_size=6),
        st.integers(0, 5),
    )
    | st.builds(
        lambda number, target, helped: Feedback(
            id=f"f-{number}", session="s", note=f"n-{target}", helped=helped, at=3.0
        ),
        st.integers(0, 99),
        st.integers(0, 30),
        st.booleans(),
    ),
    max_size=40,
)


@given(before=EVENTS, after=EVENTS, query=st.lists(st.sampled_from(WORDS), max_size=5))
@settings(max_examples=60, deadline=None)
def test_what_was_dumped_goes_on_the_same(
    before: list[Event], after: list[Event], query: list[str]
) -> None:
    """A memory that was saved and loaded between two events ends as one that was not."""
    whole, again = Memory(capacity=12), Memory(capacity=12)
    for event in before:
        whole.learn(event)
    again.load(whole.dump())
    for event in after:
        whole.learn(event)
        again.learn(event)

    assert [msgspec.to_builtins(kept) for kept in again.kept()] == [
        msgspec.to_builtins(kept) for kept in whole.kept()
    ]
    one, two = ask(whole, " ".join(query)), ask(again, " ".join(query))
    rows = [
        {memory[slot].note.id: row for slot, row in zip(found.slots.tolist(), found.X, strict=True)}
        for memory, found in ((whole, one), (again, two))
    ]
    assert rows[0].keys() == rows[1].keys()
    for name, row in rows[0].items():
        skip = [NAMES.index("lexical_rank"), NAMES.index("dense_rank")]  # ties may fall either way
        assert np.allclose(
            np.delete(row, skip), np.delete(rows[1][name], skip), rtol=1e-5, equal_nan=True
        )


def test_asking_changes_nothing(embedder: Embedder) -> None:
    """A question leaves the state as it was, to the byte."""
    memory = Memory(embedder)
    memory.learn(note(1, "use a queue for slow jobs"))
    memory.embed()
    before = memory.dump()
    one, two = ask(memory, "slow jobs"), ask(memory, "slow jobs")

    assert memory.dump() == before
    assert np.array_equal(one.X, two.X)


def test_given_notes_have_the_columns_of_a_search(embedder: Embedder) -> None:
    """Columns of notes that are named are those that the search gives them."""
    memory = Memory(embedder)
    for number in range(0, len(WORDS) - 4, 4):
        memory.learn(note(number, " ".join(WORDS[number : number + 4])))
    memory.embed()
    found = ask(memory, "retry payments")

    same = memory.columns("retry payments", memory.vector("retry payments"), found.slots)

    assert np.allclose(same, found.X, equal_nan=True)


def test_vectors_are_a_cache(embedder: Embedder, tmp_path: Path) -> None:
    """Vectors that were kept are taken where text and embedder are the same, else made anew."""
    memory = Memory(embedder)
    for number in range(8):
        memory.learn(note(number, " ".join(WORDS[3 * number : 3 * number + 3])))
    memory.embed()
    memory.save_vectors(tmp_path)
    again = Memory(embedder)
    again.load(memory.dump())

    assert again.load_vectors(tmp_path) == 8
    assert again.pending == 0
    other = Memory(embedder)
    other.learn(note(1, "something else"))
    assert other.load_vectors(tmp_path) == 0
    assert other.pending == 1
    (tmp_path / "texts.json").write_bytes(b"{")
    assert again.load_vectors(tmp_path) == 0


def test_a_damaged_state_is_named() -> None:
    """A state that cannot be read, or is of other features, raises a typed error."""
    memory = Memory()
    with pytest.raises(BundleError, match="cannot be read"):
        memory.load(b"\x00")
    with pytest.raises(BundleError, match="other features"):
        memory.load(msgspec.msgpack.encode({"version": "old", "now": 0.0, "kept": {}}))


def test_an_empty_memory_answers() -> None:
    """Before the first note a question finds nothing, and other events change nothing."""
    memory = Memory()
    memory.learn(Step(id="1", session="s", tool="Bash", outcome=Outcome.OK))
    memory.learn(Feedback(id="f", session="s", note="unknown", helped=True))

    assert len(ask(memory, "anything at all")) == 0
    assert ask(memory, "").X.shape == (0, len(NAMES))
