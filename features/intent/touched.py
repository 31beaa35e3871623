"""Files in the order in which they were last changed, and which of them a prompt will touch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from onward.features.bounded import shed
from onward.features.intent.past import Near
from onward.features.intent.prompt_words import PATH
from onward.features.memory.lexical import terms

__all__ = ["Touched"]

MAX_TOUCHED = 256
"""Files that are remembered; those that were changed longest ago are forgotten."""
_LOOKED_AT = 1_500
"""Characters of a prompt that may name files."""
_LIKE = 0.5
"""Weight of having been changed after a prompt that is all the same, beside the file that was
changed last of all, which weighs 1; the weights below likewise."""
_NAMED = 1.0
"""Weight of standing in the prompt by name."""
_WORDS = 0.3
"""Weight of a name whose every word stands in the prompt."""


class Touched:
    """What was changed, and when.

    >>> touched = Touched()
    >>> touched.learn(["src/parser.py", "README.md"])
    >>> [path for path, _ in touched.likely("is the parser done?", [])]
    ['README.md', 'src/parser.py']
    >>> touched.likely("look at parser.py", [])[0][0]
    'src/parser.py'
    """

    def __init__(self) -> None:
        self._words: dict[str, frozenset[str]] = {}  # path -> its name's words, the newest last

    def learn(self, paths: Iterable[str]) -> None:
        """These files were changed, in this order."""
        for path in paths:
            words = self._words.pop(path, None)
            self._words[path] = (
                frozenset(terms(_name(path).rsplit(".", 1)[0])) if words is None else words
            )
        shed(self._words, MAX_TOUCHED)

    def likely(self, text: str, nearest: Sequence[Near], most: int = 5) -> list[tuple[str, float]]:
        """The files that a prompt may touch, with a weight each, the likeliest first.

        A file weighs more the later it was changed, the more of the like prompts changed it, and
        the more of its name stands in the text.
        """
        weights: dict[str, float] = defaultdict(float)
        for near in nearest:
            for path in near.past.work.files:
                weights[path] += _LIKE * near.likeness**2
        said = set(terms(text[:_LOOKED_AT]))
        named = {_name(path) for path in PATH.findall(text[:_LOOKED_AT])}
        for age, (path, words) in enumerate(reversed(self._words.items())):
            weights[path] += 1.0 / (1.0 + age)
            if words & said:
                weights[path] += _WORDS * len(words & said) / len(words)
        for path in weights:
            if named and _name(path) in named:
                weights[path] += _NAMED
        return sorted(weights.items(), key=lambda pair: -pair[1])[:most]

    def dump(self) -> list[str]:
        """The paths, the newest last; `learn` takes them back."""
        return list(self._words)


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1].lower()
