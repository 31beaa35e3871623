"""The fold of failed steps."""

from __future__ import annotations

import pytest

from onward.data.errors import BundleError
from onward.data.events import Outcome, Prompt, Step
from onward.features.errors.fold import EXAMPLES, ErrorFold, is_error, speaking


def step(output: str, *, command: str = "python a.py", number: int = 0, **more: object) -> Step:
    """A failed step with this output."""
    facts: dict[str, object] = {"outcome": Outcome.ERROR, "exit_code": 1, **more}
    return Step(
        id=str(number),
        session="s",
        tool="Bash",
        input={"command": command},
        output=output,
        at=float(number + 1),
        **facts,  # type: ignore[arg-type]
    )


def test_only_errors_are_learned() -> None:
    """What went well, what a user said and a search that found nothing change nothing."""
    fold = ErrorFold()
    for event in (
        step("KeyError: 'x'", outcome=Outcome.OK),
        step("", command="grep -rn total src"),
        Prompt(id="p", session="s", text="it failed"),
    ):
        fold.learn(event)

    assert len(fold.miner) == 0
    assert is_error(step("grep: a.py: No such file or directory", command="grep x a.py"))
    assert is_error(step("", command="make"))


def test_messages_that_say_the_same_are_one_cluster() -> None:
    """The same error from other files is counted once, with times, programs and its medoid."""
    fold = ErrorFold()
    for number, name in enumerate(["yaml", "numpy", "requests"]):
        said = f"Traceback (most recent call last):\nModuleNotFoundError: No module named '{name}'"
        fold.learn(step(said, number=number))
    cluster = fold.find(speaking("ModuleNotFoundError: No module named 'rich'"))

    assert cluster is not None
    assert (cluster.count, cluster.first, cluster.last) == (3, 1.0, 3.0)
    assert fold.about(cluster).programs == {"python": 3}
    assert fold.about(cluster).types == {"ModuleNotFoundError": 3}
    assert fold.medoid(cluster).startswith("ModuleNotFoundError: No module named '")


def test_what_was_merged_keeps_what_was_known() -> None:
    """Programs and examples of merged clusters are those of the cluster that they became."""
    fold = ErrorFold()
    for number, word in enumerate(["alpha", "beta", "gamma", "delta"]):
        fold.learn(
            step(f"fatal: unknown remote {word} given", command=f"git {word}", number=number)
        )
    (cluster,) = fold.miner.clusters.values()

    assert cluster.template == "fatal: unknown remote <*> given"
    assert sum(fold.about(cluster).programs.values()) == 4


def test_what_was_dumped_goes_on_the_same() -> None:
    """A loaded fold finds and counts as the one that went on."""
    fold = ErrorFold()
    for number in range(30):
        fold.learn(step(f"error: key {'abcde'[number % 5]} is missing", number=number))
    other = ErrorFold.load(fold.dump())
    for one in (fold, other):
        one.learn(step("error: key z is missing", number=99))

    assert other.dump() == fold.dump()
    with pytest.raises(BundleError, match="cannot be read"):
        ErrorFold.load(fold.dump()[:40])


def test_memory_is_bounded() -> None:
    """On a long stream of ever new errors the state stays small."""
    fold = ErrorFold(capacity=100)
    letters = "abcdefghijklmnop"
    for number in range(3000):
        word = "".join(letters[(number >> shift) & 15] for shift in (0, 4, 8))
        fold.learn(step(f"{word}: refused by {word[::-1]}", number=number))

    assert len(fold.miner) <= 100
    assert len(fold.seen) <= 300
    assert all(len(seen.examples) <= EXAMPLES for seen in fold.seen.values())
    assert len(fold.dump()) < 200_000
