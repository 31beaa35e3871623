"""What is this error? Its cluster, its cause, and which errors are near it.

The clusters are folded from the steps that failed (`onward.features.errors.fold`). The category of
a build's or a test run's failure comes from the model ``causes``; without it, from four regular
expressions, and the answer says so. With a sentence model each cluster has a vector, and the
answer names the nearest; a message whose cluster is known needs no embedding. Which of the near
ones say the same, the model ``clusters`` judges where it is there.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from onward.data.errors import BundleError, NotFound
from onward.data.events import Call, Event, Step
from onward.features.errors.causes import cause_vector
from onward.features.errors.fold import ErrorFold, Speaking, is_error, program_of, speaking
from onward.features.errors.masks import WILD
from onward.features.errors.pairs import Side, pair_vector
from onward.features.errors.templates import Cluster, Merge
from onward.features.sentences import Embedder
from onward.models.calibrate import Calibrator
from onward.models.causes import UNKNOWN, by_words
from onward.serving.answers.base import Part
from onward.serving.questions.errors import (
    ErrorAnswer,
    ErrorCluster,
    ErrorList,
    ErrorListRequest,
    ErrorRequest,
    NearError,
)

__all__ = [
    "ErrorAnswer",
    "ErrorCluster",
    "ErrorList",
    "ErrorListRequest",
    "ErrorRequest",
    "Errors",
    "NearError",
]

NEAREST = 5
"""Clusters that an answer names as near."""
MAX_VECTORS = 4096
"""Clusters that have a vector."""
_WHY = {
    "shape": "a value of a known shape stood in the same place as",
    "many": "too many different words stood in one place:",
    "known": "words that are values elsewhere stood there:",
    "member": "a message fitted both:",
    "kinds": "each of these words kept coming back:",
}


class Errors:
    """Folds failed steps into clusters and says what an error is; an `Answerer`."""

    name = "errors"

    def __init__(self, embedder: Embedder | None = None) -> None:
        self.fold = ErrorFold()
        self._embedder = embedder
        self._causes: Part | None = None
        self._pairs: Part | None = None
        self._calibrator = Calibrator.identity()
        self._vectors: dict[int, NDArray[np.float32]] = {}
        self._stack: tuple[list[int], NDArray[np.float32]] | None = None
        self._near: dict[int, _Near] = {}

    # -- models --------------------------------------------------------------------------------

    def use(self, part: Part | None) -> None:
        """Answer categories with this model ``causes`` from now on; None = by regular expressions.

        Raises `BundleError` where its facts hold no labels or no calibration.
        """
        self._causes = part if part is not None and part.beats_peer else None
        if self._causes is not None:
            try:
                self._calibrator = Calibrator.from_json(self._causes.facts["calibration"])
                list(self._causes.facts["labels"])
            except (KeyError, TypeError) as error:
                raise BundleError(f"The model of causes lacks {error}; train it again.") from error

    def use_pairs(self, part: Part | None) -> None:
        """Judge near clusters with this model ``clusters`` from now on; None = by nothing.

        Raises `BundleError` where its facts hold no threshold.
        """
        if part is not None and not isinstance(part.facts.get("threshold"), float | int):
            raise BundleError("The model of clusters has no threshold; train it again.")
        self._pairs = part if part is not None and part.beats_peer else None
        self._near = {}

    def use_embedder(self, embedder: Embedder | None) -> None:
        """Embed with this sentence model from now on; None = name no near clusters."""
        self._embedder = embedder
        self._vectors, self._stack, self._near = {}, None, {}
        for number in [*self.fold.miner.clusters][-MAX_VECTORS:] if embedder else ():
            self._place(number)

    # -- the log -------------------------------------------------------------------------------

    def learn(self, event: Event) -> None:
        """Take in one event, in log order."""
        if not isinstance(event, Step) or not is_error(event):
            return
        program = program_of(event)
        before = len(self.fold.miner)
        number = self.fold.take(speaking(event.output, program), program, event)
        if len(self.fold.miner) != before or number not in self._vectors:
            self._forget()
            self._place(number)

    def dump(self) -> bytes:
        """What was folded, and the clusters' vectors; `load` goes on the same."""
        numbers = list(self._vectors)
        vectors = [self._vectors[n].astype(np.float16).tobytes() for n in numbers]
        state = _State(self.fold.dump(), numbers, vectors)
        return zlib.compress(msgspec.msgpack.encode(state), 1)

    def load(self, body: bytes) -> None:
        """Go on from what `dump` gave; raises `BundleError` where it is damaged or too old."""
        try:
            state = msgspec.msgpack.decode(zlib.decompress(body), type=_State)
            vectors = [np.frombuffer(v, np.float16).astype(np.float32) for v in state.vectors]
        except (zlib.error, msgspec.DecodeError, ValueError) as error:
            raise BundleError(f"The state of the errors cannot be read: {error}") from error
        self.fold = ErrorFold.load(state.fold)
        self._vectors = dict(zip(state.numbers, vectors, strict=True))
        self._stack, self._near = None, {}
        if self._embedder is None or any(v.size != self._embedder.about.dim for v in vectors):
            self.use_embedder(self._embedder)

    # -- answering -----------------------------------------------------------------------------

    def answer(self, request: ErrorRequest) -> ErrorAnswer:
        """What an error is; changes nothing."""
        program = _program(request)
        said = speaking(request.output, program)
        cluster = self.fold.find(said)
        category, p = self._category(request.output)
        root = said.root
        return ErrorAnswer(
            known=cluster is not None,
            root=root.line,
            line=root.number,
            found_by=root.how,
            type=root.type,
            template=cluster.template if cluster else " ".join(said.tokens),
            category=category,
            p=p,
            cluster=self._shown(cluster) if cluster else None,
            nearest=self._nearest(said, program, cluster),
            model="" if self._causes is None else self._causes.version,
            note=self._note(),
        )

    def listed(self, request: ErrorListRequest) -> ErrorList:
        """The largest, the newest or the latest clusters."""
        keys = {
            "largest": lambda c: (-c.count, c.id),
            "newest": lambda c: (-c.first, -c.id),
            "latest": lambda c: (-c.last, -c.id),
        }
        every = sorted(self.fold.miner.clusters.values(), key=keys[request.order])
        shown = [self._shown(cluster) for cluster in every[: request.limit]]
        return ErrorList(clusters=shown, total=len(every))

    def cluster(self, number: int) -> ErrorCluster:
        """A cluster by its id, also by one that was merged away; raises `NotFound`."""
        try:
            return self._shown(self.fold.miner.cluster(number))
        except KeyError as error:
            raise NotFound(f"There is no cluster of errors {number}.", cluster=number) from error

    def _shown(self, cluster: Cluster) -> ErrorCluster:
        about = self.fold.about(cluster)
        return ErrorCluster(
            cluster=cluster.id,
            template=cluster.template,
            example=self.fold.medoid(cluster),
            count=cluster.count,
            first_seen=cluster.first,
            last_seen=cluster.last,
            programs=dict(about.programs),
            types=dict(about.types),
            evidence=[_told(merge) for merge in cluster.merges],
        )

    def _category(self, output: str) -> tuple[str, float]:
        """The category and the probability that it is right."""
        if self._causes is None:
            return by_words(output), 0.0
        p = self._causes.run(cause_vector(output)[None, :])[0]
        labels: Sequence[str] = self._causes.facts["labels"]
        best = int(np.argmax(p))
        if labels[best] == UNKNOWN:
            return UNKNOWN, 0.0
        sure = float(p[best] / (p[best] + p[-1]))  # the score above that of "unknown"
        return labels[best], self._calibrator.apply_one(sure)

    def _note(self) -> str:
        if self._causes is None:
            return "No model of causes: the category is by regular expressions."
        return "No sentence model: near errors are not named." if self._embedder is None else ""

    # -- near clusters -------------------------------------------------------------------------

    def _nearest(self, said: Speaking, program: str, cluster: Cluster | None) -> list[NearError]:
        """The nearest other clusters; of a known cluster they are remembered."""
        if self._embedder is None or not self._vectors:
            return []
        number = cluster.id if cluster else 0
        if number in self._near:
            near = self._near[number]
            if self._pairs is not None and near.asked is not None:
                self._pairs.asked_before(*near.asked)
            return near.found
        vector = self._vectors.get(number)
        if vector is None:
            vector = self._embedder.embed([" ".join(said.tokens)])[0]
        found = self._search(vector, number)
        side = Side(said.tokens, frozenset({program}), frozenset({said.root.type} - {""}))
        near = self._judged(side, found)
        if number:
            self._near[number] = near
        return near.found

    def _search(self, vector: NDArray[np.float32], but: int) -> list[tuple[int, float]]:
        """The nearest clusters and their cosines, the exact way."""
        if self._stack is None:
            self._stack = list(self._vectors), np.stack(list(self._vectors.values()))
        numbers, matrix = self._stack
        cosines = matrix @ vector
        few = min(NEAREST + 1, len(numbers))
        best = np.argpartition(-cosines, few - 1)[:few]
        ordered = best[np.argsort(-cosines[best], kind="stable")]
        found = [(numbers[i], float(cosines[i])) for i in ordered if numbers[i] != but]
        return found[:NEAREST]

    def _judged(self, side: Side, found: Sequence[tuple[int, float]]) -> _Near:
        """Near clusters with the probability that they say the same."""
        clusters = self.fold.miner.clusters
        known = [(clusters[n], cosine) for n, cosine in found if n in clusters]
        if self._pairs is None or not known:
            bare = [NearError(cluster=c.id, template=c.template, cosine=x) for c, x in known]
            return _Near(bare)
        seen = Counter(word for c, _ in known for word in c.template.lower().split())
        X = np.stack(
            [pair_vector(side, self._side(c), cosine=cosine, seen=seen) for c, cosine in known]
        )
        said = self._pairs.run(X)
        self._pairs.lead(0)
        sure = float(self._pairs.facts["threshold"])
        judged = [
            NearError(
                cluster=c.id,
                template=c.template,
                cosine=cosine,
                p_same=float(p_same),
                same=bool(p_same >= sure),
            )
            for (c, cosine), p_same in zip(known, said[:, 1], strict=True)
        ]
        return _Near(judged, (X[:1], said[:1]))

    def _side(self, cluster: Cluster) -> Side:
        about = self.fold.about(cluster)
        tokens = self.fold.miner.tokens(cluster)
        return Side(tokens, frozenset(about.programs), frozenset(about.types))

    def _place(self, number: int) -> None:
        """Give a cluster its vector."""
        if self._embedder is None:
            return
        tokens = self.fold.miner.tokens(self.fold.miner.clusters[number])
        vector = self._embedder.embed([" ".join(tokens)])[0]
        self._vectors[number] = vector.astype(np.float16).astype(np.float32)  # as it is dumped
        if len(self._vectors) > MAX_VECTORS:
            del self._vectors[next(iter(self._vectors))]

    def _forget(self) -> None:
        """Clusters that were merged away or forgotten have no vector any more."""
        self._stack, self._near = None, {}
        clusters = self.fold.miner.clusters
        for number in [n for n in self._vectors if n not in clusters]:
            del self._vectors[number]


class _Near(NamedTuple):
    """The clusters near another one, and what the model was asked about the first of them."""

    found: list[NearError]
    asked: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None


class _State(msgspec.Struct):
    fold: bytes
    numbers: list[int]
    vectors: list[bytes]


def _program(request: ErrorRequest) -> str:
    if not request.command:
        return ""
    return program_of(
        Call(session=request.session, tool="Bash", input={"command": request.command})
    )


def _told(merge: Merge) -> str:
    """A merge or a split as a sentence."""
    words = ", ".join("a value" if word == WILD else repr(word) for word in merge.words)
    verb = "merged with" if merge.kind == "merge" else "split off"
    return f"{verb} {merge.other}: {_WHY.get(merge.why, merge.why)} {words}".rstrip()
