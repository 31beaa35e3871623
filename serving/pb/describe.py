"""The proto of the questions, written from the types of `onward.serving.questions`.

One source for both doors: what JSON takes under a name, gRPC takes under the same name. A field's
number is its place in the type, so new fields go to the end; what all answers have in common is
numbered apart, so that neither shifts the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import inspect

from onward.serving.questions import Question
from onward.serving.questions.answered import Answered

__all__ = ["SERVICE", "proto"]

SERVICE = "Predictions"
_HEAD = """\
// Written from onward/serving/questions by onward/serving/pb/generate.py; change it there.
syntax = "proto3";

package onward.predictions.v1;

import "google/protobuf/struct.proto";
"""
_SCALARS: dict[type, str] = {
    inspect.StrType: "string",
    inspect.IntType: "int64",
    inspect.FloatType: "double",
    inspect.BoolType: "bool",
    inspect.EnumType: "string",
    inspect.LiteralType: "string",
}


def proto(questions: Iterable[Question]) -> str:
    """The text of the proto: one method a question, one message a type."""
    asked = list(questions)
    kinds: dict[str, inspect.StructType] = {}
    for question in asked:
        for kind in (question.request, question.answer):
            _collect(inspect.type_info(kind), kinds)
    methods = [
        f"  // {q.summary}\n  rpc {q.rpc}({q.request.__name__}) returns ({q.answer.__name__});"
        for q in asked
    ]
    service = "\n".join([f"service {SERVICE} {{", *methods, "}"])
    return "\n".join([_HEAD, service, *map(_message, kinds.values())]) + "\n"


def _collect(kind: Any, kinds: dict[str, inspect.StructType]) -> None:
    """Every struct that a type is made of, each once."""
    if isinstance(kind, inspect.StructType):
        known = kinds.setdefault(kind.cls.__name__, kind)
        if known.cls is not kind.cls:
            raise TypeError(f"Two types are called {kind.cls.__name__}; rename one.")
        if known is kind:
            for field in kind.fields:
                _collect(field.type, kinds)
    else:
        for part in _parts(kind):
            _collect(part, kinds)


def _parts(kind: Any) -> Iterator[Any]:
    if isinstance(kind, inspect.Metadata):
        yield kind.type
    elif isinstance(kind, inspect.UnionType):
        yield from kind.types
    elif isinstance(kind, inspect.ListType | inspect.VarTupleType):
        yield kind.item_type
    elif isinstance(kind, inspect.TupleType):
        yield from kind.item_types
    elif isinstance(kind, inspect.DictType):
        yield kind.value_type


_COMMON = {name: number for number, name in enumerate(Answered.__struct_fields__, start=1001)}


def _message(kind: inspect.StructType) -> str:
    common = _COMMON if issubclass(kind.cls, Answered) else {}
    own = (field.encode_name for field in kind.fields if field.encode_name not in common)
    numbers = common | {name: number for number, name in enumerate(own, start=1)}
    fields = [
        f"  {_field(field.type)} {field.encode_name} = {numbers[field.encode_name]};"
        for field in kind.fields
    ]
    return "\n".join(["", f"message {kind.cls.__name__} {{", *fields, "}"])


def _field(kind: Any) -> str:
    """A field's type as proto3 has it."""
    if isinstance(kind, inspect.Metadata):
        return _field(kind.type)
    repeated = _repeated(kind)
    if repeated is not None:
        return f"repeated {_one(repeated)}"
    if isinstance(kind, inspect.DictType):
        if isinstance(kind.value_type, inspect.AnyType):
            return "google.protobuf.Struct"
        return f"map<string, {_one(kind.value_type)}>"
    if isinstance(kind, inspect.UnionType):
        inner = [part for part in kind.types if not isinstance(part, inspect.NoneType)]
        if len(inner) == 1 and len(kind.types) == 2:
            return f"optional {_one(inner[0])}"
    return _one(kind)


def _repeated(kind: Any) -> Any:
    """The type of which a list or a tuple holds several; None where it is neither."""
    if isinstance(kind, inspect.ListType | inspect.VarTupleType):
        return kind.item_type
    if isinstance(kind, inspect.TupleType) and len({_one(part) for part in kind.item_types}) == 1:
        return kind.item_types[0]
    return None


def _one(kind: Any) -> str:
    if isinstance(kind, inspect.Metadata):
        return _one(kind.type)
    if isinstance(kind, inspect.StructType):
        return kind.cls.__name__
    try:
        return _SCALARS[type(kind)]
    except KeyError:
        raise TypeError(f"A question's type cannot be a {kind} over gRPC.") from None
