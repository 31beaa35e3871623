"""What is this error? Answers from the fold, with models and without."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from onward.data.errors import BundleError, NotFound
from onward.data.events import Outcome, Step
from onward.features.sentences import About, Vectors
from onward.models.calibrate import Calibrator
from onward.serving.answers.base import Answerer, Part
from onward.serving.answers.errors import Errors
from onward.serving.answers.witness import Witness
from onward.serving.questions.errors import ErrorListRequest, ErrorRequest

NAMES = ("ann", "bob", "cid", "dan", "eve")


class Letters:
    """An embedder that counts letters: small, and like texts lie near."""

    about = About(kind="static", model="letters", dim=26, max_tokens=512)

    def embed(self, texts: Sequence[str]) -> Vectors:
        """(n, 26) unit vectors."""
        rows = [[text.lower().count(chr(97 + i)) + 1e-3 for i in range(26)] for text in texts]
        found = np.array(rows, np.float32).reshape(len(texts), 26)
        return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True), np.float32)


def step(number: int, output: str, command: str = "python a.py") -> Step:
    """A failed step."""
    return Step(
        id=str(number),
        session=f"s{number % 3}",
        tool="Bash",
        input={"command": command},
        outcome=Outcome.ERROR,
        output=output,
        at=float(number + 1),
    )


@pytest.fixture
def errors() -> Errors:
    """An answerer that met three kinds of errors."""
    found = Errors(Letters())
    for number, name in enumerate(NAMES):
        found.learn(step(number, f"Traceback\nKeyError: '{name}'"))
        found.learn(step(number + 10, f"fatal: remote {name} refused the push", "git push"))
    found.learn(step(30, "fatal: remote refused a push", "git push"))
    return found


def test_a_known_error_is_told(errors: Errors) -> None:
    """Its cluster with template, medoid, count, times, programs and evidence; the root line."""
    answer = errors.answer(ErrorRequest(output="x\nfatal: remote zed refused the push"))

    assert isinstance(errors, Answerer)
    assert answer.known
    assert answer.root == "fatal: remote zed refused the push"
    assert answer.line == 2
    assert answer.cluster is not None
    assert answer.cluster.template == "fatal: remote <*> refused the push"
    assert (answer.cluster.count, answer.cluster.first_seen, answer.cluster.last_seen) == (
        5,
        11,
        15,
    )
    assert answer.cluster.example.startswith("fatal: remote ")
    assert answer.cluster.programs == {"git": 5}
    assert any("too many different words" in line for line in answer.cluster.evidence)
    assert answer.nearest[0].template == "fatal: remote refused a push"
    assert answer.nearest[0].cosine > 0.9
    assert msgspec.json.encode(answer)


def test_a_new_error_is_told_as_new(errors: Errors) -> None:
    """Without a cluster it still has its root line and its nearest; asking changes nothing."""
    before = errors.dump()
    answer = errors.answer(ErrorRequest(output="fatal: remote went away", command="git pull"))

    assert not answer.known
    assert answer.cluster is None
    assert answer.nearest
    assert errors.dump() == before


@pytest.mark.parametrize("output", ["", "\x00", "é" * 5000, "(" * 3000, "E   " * 999])
def test_any_output_is_answered(errors: Errors, output: str) -> None:
    """Odd outputs are answered, also before anything was learned and without a sentence model."""
    for one in (errors, Errors(), Errors(Letters())):
        answer = one.answer(ErrorRequest(output=output, command="'"))

        assert answer.category == "unknown"
        assert answer.note


def causes(p: list[float]) -> Part:
    """A model of causes that always gives these shares."""
    facts = {"labels": ["A", "B", "unknown"], "calibration": Calibrator.identity().to_json()}
    return Part("v1", facts, lambda X: np.tile(np.array(p, np.float32), (len(X), 1)))


def test_the_category_is_the_models(errors: Errors) -> None:
    """With a model: the category with its probability, or unknown; else the peer, which is told."""
    request = ErrorRequest(output="[ERROR] There are test failures.")
    errors.use(causes([0.1, 0.8, 0.1]))
    sure = errors.answer(request)
    errors.use(causes([0.3, 0.2, 0.5]))
    unsure = errors.answer(request)
    errors.use(None)
    peer = errors.answer(request)

    assert (sure.category, sure.note) == ("B", "")
    assert sure.p == pytest.approx(0.8 / 0.9, abs=1e-3)
    assert (unsure.category, unsure.p) == ("unknown", 0.0)
    assert peer.category == "TEST_FAILURE"
    assert "regular expressions" in peer.note
    with pytest.raises(BundleError):
        errors.use(Part("v1", {}, lambda X: X))


def test_near_clusters_are_judged_by_the_pair_model(errors: Errors) -> None:
    """With a model of pairs each near cluster has a probability; sure ones are called the same."""
    part = Part("v1", {"threshold": 0.9}, lambda X: np.column_stack([1 - X[:, 0], X[:, 0]]))
    errors.use_pairs(part)
    answer = errors.answer(ErrorRequest(output="fatal: remote zed refused the push"))

    assert [near.same for near in answer.nearest] == [
        near.p_same is not None and near.p_same >= 0.9 for near in answer.nearest
    ]
    assert answer.nearest[0].same


def test_what_was_remembered_rests_on_the_model_too(errors: Errors) -> None:
    """Asked twice about a known error, both answers rest on the same row of the pair model."""
    run = Witness(lambda X: np.column_stack([1 - X[:, 0], X[:, 0]]))
    errors.use_pairs(Part("v1", {"threshold": 0.9}, run))
    request = ErrorRequest(output="fatal: remote fay refused a push")
    grounds = []
    for _ in range(2):
        run.forget()
        assert errors.answer(request).nearest[0].p_same is not None
        grounds.append(run.last())

    first, again = grounds
    assert first is not None
    assert again is not None
    assert np.array_equal(first[0], again[0], equal_nan=True)


def test_clusters_are_listed(errors: Errors) -> None:
    """The largest, newest and latest first; a merged id leads to what it became."""
    by_size = errors.listed(ErrorListRequest(limit=2))
    newest = errors.listed(ErrorListRequest(order="newest"))

    assert [cluster.count for cluster in by_size.clusters] == [5, 5]
    assert by_size.total == 3
    assert newest.clusters[0].template == "fatal: remote refused a push"
    assert errors.listed(ErrorListRequest(order="latest")).clusters[0].last_seen == 31.0
    olds = [old for cluster in errors.fold.miner.clusters.values() for old in cluster.olds]
    assert {errors.cluster(old).count for old in olds} == {5}
    with pytest.raises(NotFound):
        errors.cluster(10**6)


def test_what_was_dumped_goes_on_the_same(errors: Errors) -> None:
    """A loaded answerer answers as the one that went on, near clusters included."""
    other = Errors(Letters())
    other.load(errors.dump())
    request = ErrorRequest(output="fatal: remote zed refused the push")
    for one in (errors, other):
        one.learn(step(50, "fatal: remote fay refused the push", "git push"))

    assert other.answer(request) == errors.answer(request)
    assert other.dump() == errors.dump()
    with pytest.raises(BundleError):
        other.load(b"nothing")


def test_no_embedding_is_needed_for_a_known_error(errors: Errors) -> None:
    """A message whose cluster is known is answered without the sentence model."""
    request = ErrorRequest(output="fatal: remote zed refused the push")
    errors.answer(request)

    class Silent(Letters):
        def embed(self, texts: Sequence[str]) -> Vectors:
            raise AssertionError(texts)

    errors._embedder = Silent()

    assert errors.answer(request).nearest
