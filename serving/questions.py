"""What can be asked beside decisions, as a table; every door is made from it.

HTTP takes a question at ``POST /v1/NAME``, gRPC as a method of ``onward.v1.Predictions`` whose
messages are written from the same types (`onward.serving.pb.describe`), and `Client.ask` by its
name.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from onward.data.errors import InputError
from onward.serving import wire

__all__ = ["BY_REQUEST", "QUESTIONS", "Question"]


class Question(NamedTuple):
    """One thing that can be asked of a learned system."""

    name: str
    """Its path below ``/v1/``, and what clients call it."""
    system: str
    """The answerer that is asked: its ``name``."""
    method: str
    """The answerer's method."""
    request: type[msgspec.Struct]
    answer: type[msgspec.Struct]
    summary: str

    @property
    def rpc(self) -> str:
        """The gRPC method: ``errors/list`` is ``ErrorsList``."""
        return "".join(part.capitalize() for part in self.name.replace("/", "_").split("_"))

    def read(self, body: bytes) -> msgspec.Struct:
        """The request of a JSON body; raises `InputError`, which names the field."""
        return wire.decode(self.request, body)

    def convert(self, fields: dict[str, Any]) -> msgspec.Struct:
        """The request of plain fields; raises `InputError` as `read` does."""
        try:
            return msgspec.convert(fields, self.request, strict=False)
        except msgspec.ValidationError as error:
            raise InputError(f"{error}.") from error


QUESTIONS: tuple[Question, ...] = ()

BY_REQUEST: dict[type[msgspec.Struct], Question] = {one.request: one for one in QUESTIONS}
"""A request's type tells what is asked."""
