"""`onward ask`: any question of `onward.serving.questions`, put to the running server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from onward.cli.arguments import stdin_text
from onward.cli.doors import Url, client
from onward.cli.output import Json, show

if TYPE_CHECKING:
    from rich.console import RenderableType

    from onward.serving.questions import Question

__all__ = ["ask"]

_SHOWN = 8
"""Rows of a list that are shown to a person, and beside them how many are not."""


def ask(
    question: Annotated[
        str | None, typer.Argument(help="What to ask; without it, what can be asked.")
    ] = None,
    fields: Annotated[
        list[str] | None,
        typer.Argument(
            help="The question's fields; @FILE takes a text from a file, @- from stdin.",
            metavar="NAME=VALUE...",
        ),
    ] = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Ask the running server what lies ahead: next steps, errors and fixes, memory, resources."""
    from onward.serving.questions import QUESTIONS

    if question is None:
        show([_described(one) for one in QUESTIONS], as_json=json, view=_listed)
        return
    asked = _named(question, QUESTIONS)
    given = _given(fields or [])
    request = asked.convert({name: _read(asked, name, value) for name, value in given.items()})
    with client(url) as server:
        answer = server.ask(request)
    show(answer, as_json=json, view=answer_view)


def _named(name: str, questions: tuple[Question, ...]) -> Question:
    """The question of a name; raises `SettingsError` with those that there are."""
    from onward.data.errors import SettingsError

    found = next((one for one in questions if one.name == name), None)
    if found is None:
        known = ", ".join(one.name for one in questions)
        raise SettingsError(f"There is no question {name!r}; ask one of: {known}.")
    return found


def _given(fields: list[str]) -> dict[str, str]:
    """The fields by name; raises `SettingsError` where one is given twice."""
    from onward.data.errors import SettingsError

    given: dict[str, str] = {}
    for name, value in map(_field, fields):
        if name in given:
            raise SettingsError(f"{name} is given twice; give it once.")
        given[name] = value
    return given


def _field(text: str) -> tuple[str, str]:
    """Name and value of a field."""
    from onward.data.errors import SettingsError

    name, equals, value = text.partition("=")
    if not equals or not name:
        raise SettingsError(f"{text!r} is no field; write NAME=VALUE.")
    if not value.startswith("@"):
        return name, value
    try:
        if value == "@-":
            return name, stdin_text()
        with open(value[1:], encoding="utf-8", errors="replace") as file:
            return name, file.read()
    except OSError as error:
        raise SettingsError(f"{value[1:]} cannot be read: {error.strerror}.") from error


def _read(question: Question, name: str, value: str) -> Any:
    """A field's value; one that is an object is written as JSON."""
    import msgspec
    from msgspec import inspect

    from onward.data.errors import SettingsError

    kinds = {one.encode_name: one.type for one in msgspec.structs.fields(question.request)}
    if name not in kinds or not isinstance(inspect.type_info(kinds[name]), inspect.DictType):
        return value
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError as error:
        raise SettingsError(f"{name} is an object, written as JSON: {error}.") from error


def _described(question: Question) -> dict[str, Any]:
    """A question with its fields."""
    import msgspec

    fields = msgspec.structs.fields(question.request)
    return {
        "name": question.name,
        "summary": question.summary,
        "fields": [field.encode_name + ("" if field.required else "?") for field in fields],
    }


def _listed(questions: list[dict[str, Any]]) -> RenderableType:
    """What can be asked, for a person."""
    from rich.table import Table

    table = Table("question", "fields (? = may be left out)", "what it answers", box=None)
    for one in questions:
        table.add_row(one["name"], " ".join(one["fields"]), one["summary"])
    return table


def answer_view(answer: Any) -> RenderableType:
    """Any answer, for a person."""
    import msgspec

    return fields_view(msgspec.to_builtins(answer, enc_hook=str))


def fields_view(fields: dict[str, Any]) -> RenderableType:
    """An answer's fields: one line each, lists of records as tables; what all have comes last."""
    from rich.console import Group
    from rich.text import Text

    last = ("note", "model", "id")
    names = [name for name in fields if name not in last] + [n for n in last if n in fields]
    parts: list[RenderableType] = []
    for name, value in ((name, fields[name]) for name in names):
        title = name.replace("_", " ")
        if value in (None, "", [], {}):
            continue
        if isinstance(value, list) and isinstance(value[0], dict):
            parts.append(_records(title, value))
        else:
            parts.append(Text.assemble((f"{title}: ", "bold"), _shown(value)))
    return Group(*parts)


def _records(title: str, records: list[dict[str, Any]]) -> RenderableType:
    """A list of records as a table; columns that are empty in all of them are left out."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    kept = [
        name for name in records[0] if any(one.get(name) not in (None, "", []) for one in records)
    ]
    table = Table(*(name.replace("_", " ") for name in kept), title=title, title_justify="left")
    for record in records[:_SHOWN]:
        table.add_row(*(Text(_shown(record.get(name))) for name in kept))
    return Group(table, *(Text(more, "dim") for more in _more(records)))


def _shown(value: Any) -> str:
    """A value as a person reads it.

    >>> _shown(0.123456), _shown(["a", 2]), _shown({"p": 0.5})
    ('0.123', 'a, 2', 'p 0.500')
    """
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, list):
        return ", ".join([*map(_shown, value[:_SHOWN]), *_more(value)])
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(each)}" for name, each in value.items())
    return str(value)


def _more(rows: list[Any]) -> list[str]:
    """What is said of rows that are not shown, if there are any."""
    return [f"and {len(rows) - _SHOWN:,} more"] if len(rows) > _SHOWN else []
