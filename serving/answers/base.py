"""What every answerer promises.

Like the rest of the state it is a pure function of the log: it learns events in log order, what
was dumped and loaded goes on the same, and its memory is bounded whatever the log's length. A
question changes nothing. A model is handed over before the first question (`Seat`); without one,
the answerer's trivial peer answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from onward.data.errors import BundleError
from onward.data.events import Event
from onward.serving.answers.witness import Run, Witness

__all__ = ["Answerer", "Part", "Seat", "Use"]


class Part(NamedTuple):
    """What a bundle holds of one learned system."""

    version: str
    """The bundle that it came with."""
    facts: Mapping[str, Any]
    """What its model's ``facts`` gave."""
    run: Run
    """Rows (n, d) to the ONNX output ``p`` (n, k)."""
    beats_peer: bool = True
    """Whether it beat its trivial peer on later steps; where it did not, the peer answers."""
    names: tuple[str, ...] = ()
    """Its columns, in order."""
    features: str = ""
    """The version of what they mean."""

    def lead(self, row: int) -> None:
        """Say which of the rows that `run` was given last the answer puts first."""
        if isinstance(self.run, Witness):
            self.run.lead(row)

    def asked_before(self, X: NDArray[np.float32], said: NDArray[np.float32]) -> None:
        """Say that an answer rests on what `run` said before; the first row leads."""
        if isinstance(self.run, Witness):
            self.run.asked_before(X, said)


@runtime_checkable
class Answerer(Protocol):
    """Answers one question from what it folded and from its model.

    Attributes
    ----------
    name
        That of its learned system: ``next_task``, ``hazard`` ...
    """

    name: str

    def use(self, part: Part | None) -> None:
        """Answer with this model from now on; None = there is none, the peer answers."""

    def learn(self, event: Event) -> None:
        """Take in one event, in log order."""

    def dump(self) -> bytes:
        """What was folded; `load` goes on the same."""

    def load(self, body: bytes) -> None:
        """Go on from what `dump` gave; raises `BundleError` where it is damaged or too old."""


class Use(NamedTuple):
    """How an answerer takes the model of one learned system."""

    take: Callable[[Part | None], None]
    """Answers with it from then on; None = the peer answers. Raises `BundleError`."""
    names: tuple[str, ...]
    """The columns that it is given."""
    features: str
    """The version of what they mean."""
    classes: bool = False
    """Whether its outputs are the probabilities of classes."""

    def __call__(self, part: Part | None) -> None:
        """Take a model over; raises `BundleError` where it was made for other columns."""
        if part is not None and (part.names, part.features) != (self.names, self.features):
            raise BundleError(
                "The model was made with other features; train again.",
                found=part.features,
                wanted=self.features,
            )
        self.take(part)


class Seat(NamedTuple):
    """An answerer with the models that it answers with."""

    answerer: Answerer
    uses: Mapping[str, Use]
    """Learned system -> what takes its model."""
    tend: Callable[[], object] | None = None
    """What it does when nobody asks, a little at a time; None = nothing."""
