"""What the command line returns to the shell, and how an error is shown.

A user's mistake gets one or two sentences and a code, never a traceback. A traceback means
that onward itself is broken.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from onward.data.errors import (
    BundleError,
    Conflict,
    InputError,
    NotEnoughData,
    OnwardError,
    SettingsError,
    StoreError,
    Unavailable,
)

__all__ = ["EXIT_CODES", "INTERRUPTED", "Guarded", "Plain", "exit_code", "table"]

# Each error has the code of the first row that it belongs to.
EXIT_CODES: tuple[tuple[type[OnwardError], int, str], ...] = (
    (SettingsError, 2, "usage: an argument or a setting has a value that it cannot have"),
    (InputError, 3, "input: a file, a call or a name that cannot be used; nothing was changed"),
    (Unavailable, 4, "unavailable: the server, MLflow or an extra is away"),
    (NotEnoughData, 5, "not enough data to learn or to promise from"),
    (StoreError, 6, "the history cannot be read or written"),
    (Conflict, 7, "conflict: the same id came again with other content"),
    (BundleError, 8, "a model bundle is damaged or of another version"),
    (OnwardError, 1, "something else went wrong"),
)
"""Error, exit code, and what it means."""

INTERRUPTED = 130
"""Stopped by Ctrl-C; what was stored stays stored."""

WANTS_JSON = "onward.json"
"""Where a command's context keeps that its output is to be JSON."""


def exit_code(error: OnwardError) -> int:
    """The exit code of an error.

    >>> exit_code(NotEnoughData("too few"))
    5
    """
    return next(code for kind, code, _ in EXIT_CODES if isinstance(error, kind))


def table() -> str:
    """The exit codes, one a line, for the help."""
    rows = sorted({code: text for _, code, text in EXIT_CODES}.items())
    return "\n\n".join(["0  done", *(f"{code}  {text}" for code, text in rows)])


class Plain(TyperCommand):
    """A command whose usage line names arguments in the usual way: ``PATH...``, ``[VERSION]``."""

    def collect_usage_pieces(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """The words after the command's name."""
        return [piece.translate(_NO_BRACES) for piece in super().collect_usage_pieces(ctx)]


_NO_BRACES = str.maketrans("", "", "{}")


class Guarded(TyperGroup):
    """A group of commands that turns every error of ours into a sentence and a code."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Read the options; whether errors are to be JSON is known before any of them can fail."""
        own = args[: args.index("--")] if "--" in args else args
        ctx.meta[WANTS_JSON] = "--json" in own
        with _told(ctx):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]  # typer's own alias
        """Run the chosen command."""
        with _told(ctx):
            return super().invoke(ctx)


_NO_TEXT = re.compile("[\ud800-\udfff]")
"""What stands for bytes of an argument that are no UTF-8; nothing can be written with it."""
_SAID = 100


@contextmanager
def _told(ctx: typer.Context) -> Iterator[None]:
    """Say every error that a user can cause, and leave with its code."""
    as_json = bool(ctx.meta.get(WANTS_JSON))
    try:
        yield
    except OnwardError as error:
        _fail(error, as_json=as_json)
    except typer.TyperException as error:  # an argument or option that cannot be used
        if not as_json:
            raise  # typer shows the usage beside it
        said = getattr(error, "format_message", error.__str__)()
        _fail(SettingsError(said), as_json=True)
    except UnicodeEncodeError as error:
        if not _NO_TEXT.match(error.object, error.start):
            raise
        said = f"{error.object[:_SAID]!r} holds bytes that are no UTF-8 text; write it in UTF-8."
        _fail(SettingsError(said), as_json=as_json)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:  # the reader of our output left, as `head` does
        sys.stderr.close()
        raise typer.Exit(0) from None
    except OSError as error:  # a folder that cannot be written, a disk that is full
        if error.filename is None:
            raise
        problem = InputError(f"{error.filename} cannot be used: {error.strerror}.")
        _fail(problem, as_json=as_json)


def _fail(error: OnwardError, *, as_json: bool) -> NoReturn:
    """Say what went wrong on stderr and leave with its code."""
    message = _sayable(error.message)
    if as_json:
        import msgspec

        given = error.facts.items()
        facts = {name: _sayable(fact) if isinstance(fact, str) else fact for name, fact in given}
        body = {"code": error.code, "message": message, "facts": facts}
        text = msgspec.json.encode({"error": body}, enc_hook=_sayable).decode()
        print(text, file=sys.stderr)
    else:
        from rich.console import Console
        from rich.text import Text

        said = Text.assemble(("onward: ", "bold red"), message)
        Console(stderr=True).print(said, soft_wrap=True)  # a path must stay in one piece
    raise typer.Exit(exit_code(error))


def _sayable(given: object) -> str:
    """It as text that can be written anywhere."""
    return _NO_TEXT.sub("\ufffd", str(given))
