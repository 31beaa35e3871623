"""Words as evidence: the index that changes text by text ranks as one that was built at once."""

from __future__ import annotations

from collections import Counter
from math import log1p

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onward.features.memory.lexical import EVIDENCE, MAX_TERMS, Lexical, terms

WORDS = st.lists(st.sampled_from("abcdefgh"), max_size=8)


def plain_bm25(texts: dict[int, list[str]], query: list[str]) -> dict[int, float]:
    """BM25 by its definition, over all texts."""
    n = len(texts)
    average = sum(map(len, texts.values())) / max(n, 1) or 1.0
    scores = {}
    for slot, words in texts.items():
        counts, score = Counter(words), 0.0
        for word in set(query) & counts.keys():
            df = sum(word in other for other in texts.values())
            rarity = log1p((n - df + 0.5) / (df + 0.5))
            norm = 1.2 * (0.25 + 0.75 * len(words) / average)
            score += rarity * counts[word] * 2.2 / (counts[word] + norm)
        scores[slot] = score
    return scores


@given(
    added=st.lists(WORDS, min_size=1, max_size=20), removed=st.sets(st.integers(0, 19)), query=WORDS
)
@settings(max_examples=150, deadline=None)
def test_it_ranks_as_its_definition_says(
    added: list[list[str]], removed: set[int], query: list[str]
) -> None:
    """After any adding and removing the scores are those of BM25 over what is left."""
    index, texts = Lexical(), dict[int, list[str]]()
    slots = [index.add(words) for words in added]
    texts.update(zip(slots, added, strict=True))
    for place in removed:
        if place < len(slots):
            index.remove(slots[place])
            del texts[slots[place]]
    true = {slot: score for slot, score in plain_bm25(texts, query).items() if score > 0}

    found, scores = index.search(index.query(query), 50)

    assert set(found.tolist()) == true.keys()
    assert scores == pytest.approx([true[slot] for slot in found.tolist()], rel=1e-4)
    assert (np.diff(scores) <= 0).all()


def test_memory_is_bounded_by_what_is_there() -> None:
    """Words and postings of texts that went are let go of, and slots are given again."""
    index = Lexical()
    slots: list[int] = []
    for number in range(20_000):
        slots.append(index.add([f"w{number}", "common"]))
        if len(slots) > 100:
            index.remove(slots.pop(0))

    assert len(index) == 100
    assert len(index._ids) < 1_000
    assert sum(map(len, index._slots)) < 2_000
    assert max(slots) < 1_000


def test_restored_texts_keep_their_slots() -> None:
    """Texts put back into their slots score as before, and later texts take free slots."""
    index = Lexical()
    slots = [index.add(terms(text)) for text in ("red fox", "blue whale", "red herring")]
    index.remove(slots[1])
    again = Lexical()
    again.restore({slots[0]: terms("red fox"), slots[2]: terms("red herring")})

    query = ["red", "fox"]

    found, scores = index.search(index.query(query), 5)
    same, equal = again.search(again.query(query), 5)

    assert found.tolist() == same.tolist()
    assert scores.tolist() == equal.tolist()
    assert again.add(["new"]) == slots[1]


def test_common_words_do_not_hide_rare_ones() -> None:
    """Among very many texts that share a word, one that has the rare word, too, comes first."""
    index = Lexical()
    for number in range(12_000):
        index.add(["error", "the", f"x{number % 50}"])
    wanted = index.add(["error", "the", "quokka"])

    found, _ = index.search(index.query(["error", "quokka"]), 3)

    assert found[0] == wanted


def test_evidence_is_between_bounds() -> None:
    """A text that is the query has cosine and covers of 1; one without its words has 0."""
    index = Lexical()
    same, other, empty = index.add(["a", "b"]), index.add(["c"]), index.add([])
    rows = index.evidence(index.query(["a", "b"]), np.array([same, other, empty]))
    columns = dict(zip(EVIDENCE, rows.T, strict=True))

    for name in ("tfidf", "cover_query", "cover_text"):
        assert columns[name].tolist() == pytest.approx([1.0, 0.0, 0.0])
    assert index.shared(index.query(["b", "z"]), same) == ["b"]


@given(text=st.text(max_size=300))
def test_any_text_has_words(text: str) -> None:
    """Whatever the text, its words are lower-case, none is empty, and they are not too many."""
    words = terms(text * 20)

    assert len(words) <= MAX_TERMS
    assert all(word and word == word.lower() for word in words)
