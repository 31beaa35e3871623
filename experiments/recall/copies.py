"""Copies of notes ought to join, and what only looks like a copy ought not to."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
from experiments.recall.sets import Asked

from onward.data.events import Note
from onward.features.memory.alike import COSINE, Alike, agreement, cosine, plain_key, turned
from onward.features.memory.kept import text_of
from onward.features.sentences import Embedder

__all__ = ["duplicates"]

Random = np.random.Generator
_LEAST_WORDS = 5
NOTES = 150
"""Notes that copies are made of."""


def _case(text: str, random: Random) -> str:
    return text.lower().rstrip(".!? ") + str(random.choice(["", ".", "!", " "]))


def _typo(text: str, random: Random) -> str:
    words = text.split()
    long = [place for place, word in enumerate(words) if len(word) > 5 and word.isalpha()]
    if not long:
        return text + "!"
    place = int(random.choice(long))
    at = int(random.integers(1, len(words[place]) - 2))
    word = words[place]
    words[place] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return " ".join(words)


def _polite(text: str, random: Random) -> str:
    return str(random.choice(["Please: ", "Hello, ", "So, "])) + text + " Thanks."


def _swapped(text: str, random: Random) -> str:
    """The sentences in another order."""
    sentences = [part for part in re.split(r"(?<=[.!?])\s+", text) if part]
    return " ".join(sentences[1:] + sentences[:1]) if len(sentences) > 1 else text + " indeed"


def _dropped(text: str, random: Random) -> str:
    """Without one of its words."""
    words = text.split()
    plain = [p for p, w in enumerate(words) if w.isalpha() and not turned(w, "")]
    if not plain:
        return text
    del words[int(random.choice(plain))]
    return " ".join(words)


def _negated(text: str, random: Random) -> str:
    words = text.split()
    words.insert(int(random.integers(1, len(words))), "not")
    return " ".join(words)


def _renumbered(text: str, random: Random) -> str:
    numbers = re.findall(r"\d+", text)
    if not numbers:
        return text + f" in {random.integers(2, 99)} days"
    number = str(random.choice(numbers))
    return text.replace(number, str(int(number[:9]) + 1), 1)


_COPIES = {
    "case": _case,
    "typo": _typo,
    "polite": _polite,
    "swapped": _swapped,
    "dropped": _dropped,
}
_OTHERS = {"negated": _negated, "renumbered": _renumbered}


def duplicates(
    questions: Sequence[Asked], embedder: Embedder, *, seed: int = 0
) -> dict[str, dict[str, float]]:
    """Share of pairs that each way of comparing joins, by kind of pair.

    The first five kinds are copies and ought to join; ``negated`` and ``renumbered`` say something
    else, and so do ``relevant`` (two notes judged relevant for one question) and ``near`` (two
    notes recalled for one question of which one is not).
    """
    random = np.random.default_rng(seed)
    pairs = _pairs(questions, random)
    alike, words = Alike(embedder), Alike()
    ways: dict[str, Callable[[str, str], bool]] = {
        "onward": alike.same,
        "onward_words": words.same,
        "same_words": lambda one, two: plain_key(one) == plain_key(two),
        "cosine_alone": lambda one, two: cosine(embedder, one, two) >= COSINE,
        "words_alone": lambda one, two: agreement(one, two) >= 0.6,
    }
    return {
        way: {kind: float(np.mean([same(*pair) for pair in some])) for kind, some in pairs.items()}
        for way, same in ways.items()
    }


def _pairs(questions: Sequence[Asked], random: Random) -> dict[str, list[tuple[str, str]]]:
    notes = {plain_key(text_of(note)): note for asked in questions for note in asked.notes}
    texts = [text_of(note) for note in notes.values() if len(note.text.split()) >= _LEAST_WORDS]
    chosen = [texts[place] for place in random.permutation(len(texts))[:NOTES]]
    pairs = {
        kind: [(text, change(text, random)) for text in chosen]
        for kind, change in {**_COPIES, **_OTHERS}.items()
    }
    relevant: list[tuple[str, str]] = []
    near: list[tuple[str, str]] = []
    for asked in questions:
        good, bad = ([n for n, r in asked.judged if r is want] for want in (True, False))
        relevant += [
            (text_of(good[0]), text_of(note)) for note in good[1:] if _differ(good[0], note)
        ]
        near += [(text_of(good[0]), text_of(note)) for note in bad if good]
    return {**pairs, "relevant": relevant, "near": near}


def _differ(one: Note, two: Note) -> bool:
    return plain_key(text_of(one)) != plain_key(text_of(two))
