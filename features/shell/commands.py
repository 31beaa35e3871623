"""From word vectors to commands: what runs, in which folder, fed by whom.

The `Collector` receives the words of each command as the syntax gives them, takes wrappers off,
and follows what a command runs in its turn: scripts for shells, ``find -exec``, traps, aliases.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from onward.features.shell.args import flags_of, paths_of, roots_of, subcommands_of
from onward.features.shell.argv import Invocation, nested, unwrap
from onward.features.shell.options import RUN_VARIABLES, scripts_in
from onward.features.shell.programs import SHELLS, canonical, names
from onward.features.shell.words import FOUND, HOLE, has_hole, unescape

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Collector", "Fields"]

Fields = dict[str, Any]
"""What becomes a `Command`; plain while it is still being put together."""

_SEARCHERS = names("find fd fdfind grep rg ls tree du")
_LISTERS = _SEARCHERS | names("git head tail sort uniq sed tr cut awk wc cat")
_GIT_LISTS = names("ls-files diff grep status")
_SETTERS = names("read mapfile readarray getopts unset")
_KEYWORDS = names("! { } if then else elif fi for while until do done case esac function select")
_ECHO_FLAGS = names("-e -n -ne -en -E")


class Collector:
    """Gathers the commands of one command line.

    Parameters
    ----------
    run
        Walks a further script with this collector: the text, and whether it may change what
        comes after it (``eval`` can, ``bash -c`` cannot).
    """

    def __init__(self, run: Callable[[str], None]) -> None:
        self.commands: list[Fields] = []
        self.constants: dict[str, str | None] = {}
        """Variables with a known value; None for one that may have several."""
        self.functions: dict[str, bool] = {}
        """Functions of the line, and whether calling one may change the folder."""
        self.open_functions: list[str] = []
        self.depth = 0
        self.cwd = ""
        self.fed: list[Fields] = []
        self.ok = True
        self._run = run
        self._resolved: set[str] = set()

    def emit(
        self,
        argv: list[str],
        env: Sequence[str],
        redirected: Fields,
        *,
        known: bool = True,
        wrappers: Sequence[str] = (),
    ) -> None:
        """Add a command, and all that it runs in its turn.

        Parameters
        ----------
        argv
            Its words; empty for a bare redirection.
        env
            ``NAME=value`` before it.
        redirected
            ``reads``, ``writes`` and ``stdin`` of its redirections.
        known
            Whether the program is what its word says (False for ``/bin/r?``).
        wrappers
            What it was already found in.
        """
        found = unwrap(argv) if argv else Invocation([])
        fields: Fields = {"program": "", "depth": self.depth, "cwd": self.cwd, **redirected}
        fields["wrappers"] = (*wrappers, *found.wrappers)
        fields["env"] = (*env, *found.env)
        fields["remote"] = found.remote
        if found.moved:
            fields["cwd"] = HOLE
        if self.fed:
            fields["fed_by"] = tuple([one["program"] for one in self.fed])
        for outer in found.outer:
            self._add({**fields, "wrappers": tuple(wrappers), "remote": False}, outer, known=known)
        if found.script is not None:
            self._script(found.script, fields, lasting="eval" in found.wrappers)
        else:
            self._add(fields, found.argv, known=known)
        self._environment(fields["env"])

    def _add(self, fields: Fields, argv: list[str], *, known: bool) -> None:
        self.commands.append(fields)
        if not argv:
            return
        if self.fed and not fields.get("stdin"):
            fields["stdin"] = _printed(self.fed[-1])
        if "xargs" in fields["wrappers"]:
            argv = [*argv, *self._listed()]
        program, args = canonical(argv[0]), tuple(argv[1:])
        fields["program"], fields["args"] = program, args
        fields["sub"], fields["verb"] = subcommands_of(program, args)
        fields["flags"] = flags_of(args)
        fields["paths"] = paths_of(program, args)
        unknown = (
            not known or not program or has_hole(argv[0]) or program in _KEYWORDS or "=" in program
        )
        fields["dynamic"] = unknown or program in self.open_functions
        self._follow(program, argv, fields)

    def _environment(self, env: Sequence[str]) -> None:
        for word in env:
            name, _, value = word.partition("=")
            if name in RUN_VARIABLES:
                self._script(value, {"wrappers": (name,)})

    def _listed(self) -> list[str]:
        """Give what reaches xargs: files below the folders listed before it, else unknown."""
        first = self.fed[0] if self.fed else {"program": ""}
        program = first["program"]
        if not {one["program"] for one in self.fed} <= _LISTERS:
            return [HOLE]
        if program in _SEARCHERS:
            roots = roots_of(program, first["args"], first["paths"])
            return [f"{root.rstrip('/')}/{FOUND}" for root in roots]
        return [f"./{FOUND}"] if program == "git" and first["sub"] in _GIT_LISTS else [HOLE]

    def _follow(self, program: str, argv: list[str], fields: Fields) -> None:
        """Follow what a command runs or changes for those after it."""
        args = fields["args"]
        for script in scripts_in(program, args):
            self._script(script, {"wrappers": (program,)})
        if program in SHELLS:
            self._shell(fields)
        elif program in _FOLLOWED:
            _FOLLOWED[program](self, argv, fields)
        elif program in _SETTERS or (program == "printf" and "-v" in args):
            self.constants.update(dict.fromkeys(args))
        elif self.functions.get(program):
            self.cwd = HOLE

    def _find(self, argv: list[str], fields: Fields) -> None:
        roots = roots_of(fields["program"], fields["args"], fields["paths"])
        for words in nested(argv, roots):
            self.emit(words, (), {}, wrappers=(*fields["wrappers"], fields["program"]))

    def _trap(self, argv: list[str], fields: Fields) -> None:
        if len(argv) > 1:
            self._script(argv[1], {"wrappers": (fields["program"],)})

    def _alias(self, argv: list[str], fields: Fields) -> None:
        for word in argv[1:]:
            self._script(word.partition("=")[2], {"wrappers": (fields["program"],)})

    def _source(self, argv: list[str], fields: Fields) -> None:
        unknown = len(argv) < 2 or has_hole(argv[1]) or argv[1].startswith("/dev/")
        fields["dynamic"] = fields["dynamic"] or unknown

    def _chdir(self, argv: list[str], fields: Fields) -> None:
        plain = [word for word in argv[1:] if word[:1] != "-" or word == "-"]
        target = plain[-1] if plain else "~"
        if fields["program"] == "popd" or target == "-" or has_hole(target):
            self.cwd = HOLE
        elif target[:1] in ("/", "~") or not self.cwd:
            self.cwd = target
        else:
            self.cwd = f"{self.cwd}/{target}"

    def _shell(self, fields: Fields) -> None:
        """Follow the script on a shell's input; the content of a script file is unknown."""
        plain = [word for word in fields["args"] if not word.startswith("-")]
        if plain and "-s" not in fields["flags"]:
            fields["dynamic"] |= has_hole(plain[0]) or plain[0].startswith("/dev/")
            return
        text = fields.get("stdin")
        if text:
            self._script(text, {"wrappers": (*fields["wrappers"], fields["program"])})
        elif self.fed:
            fields["dynamic"] = True

    def _script(self, text: str, fields: Fields, *, lasting: bool = False) -> None:
        """Walk a script that a command runs, each of its commands wrapped as that one was."""
        start, cwd, fed = len(self.commands), self.cwd, self.fed
        self.fed, self.cwd = [], fields.get("cwd", cwd)
        self.depth += 1
        self._run(text)
        self.depth -= 1
        self.fed = fed
        if not lasting:
            self.cwd = cwd
        for one in self.commands[start:]:
            one["wrappers"] = (*fields.get("wrappers", ()), *one["wrappers"])
            one["env"] = (*fields.get("env", ()), *one["env"])
            one["remote"] = one["remote"] or fields.get("remote", False)
        if has_hole(text) or fields.get("writes") or fields.get("reads"):
            outer = {"program": "", "depth": self.depth, "env": (), "remote": False}
            self.commands.append({**outer, **fields, "dynamic": has_hole(text)})

    def attach(self, start: int, redirected: Fields) -> None:
        """Give the redirections of a group of commands to its last one."""
        if len(self.commands) == start:
            self.emit([], (), redirected)
            return
        fields = self.commands[-1]
        for key, value in redirected.items():
            fields[key] = fields.get(key, value[:0]) + value
        if "stdin" in redirected and fields["program"] in SHELLS:
            self._shell(fields)

    def note_use(self, source: str) -> None:
        """Remember that a variable told which program runs."""
        if "$" in source:
            self._resolved.update(source.replace("$", " ").replace("}", " ").split())

    def assign(self, name: str, value: str, *, plain: bool) -> None:
        """Take in ``name=value``, or ``name+=value`` if not `plain`.

        A second value, or one given inside a substitution, makes the name unknown.
        """
        before = self.constants.get(name)
        if value == "⟨!⟩":  # the process just started: what kill may have
            self.constants[name] = value
            return
        fresh = name not in self.constants and not self.depth
        if not plain or has_hole(value) or not (fresh or before == value):
            if before is not None and before != value and name in self._resolved:
                self.ok = False  # a loop may run the earlier command with the later value
            self.constants[name] = None
        else:
            self.constants[name] = value
        if name in RUN_VARIABLES:
            self._script(value, {"wrappers": (name,)})


_FOLLOWED: dict[str, Callable[[Collector, list[str], Fields], None]] = {
    "find": Collector._find,
    "fd": Collector._find,
    "fdfind": Collector._find,
    "trap": Collector._trap,
    "alias": Collector._alias,
    "source": Collector._source,
    ".": Collector._source,
    "cd": Collector._chdir,
    "pushd": Collector._chdir,
    "popd": Collector._chdir,
}


def _printed(fields: Fields) -> str:
    """Give the text that a command prints into the pipe behind it, or "" if unknown."""
    program, args = fields["program"], fields.get("args", ())
    if fields.get("fed_by") or any(map(has_hole, args)):
        return ""
    if program == "echo":
        words = [word for word in args if word not in _ECHO_FLAGS]
        return unescape(" ".join(words)) if "-e" in " ".join(args) else " ".join(words)
    if program == "printf" and args:
        return unescape(args[0].replace("%s", " ".join(args[1:])))
    if program in ("cat", "tee") and not args:
        return str(fields.get("stdin", ""))
    return ""
