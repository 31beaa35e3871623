"""The action of a shell command line: which of its commands count, and what they do."""

from __future__ import annotations

import math
import posixpath
from functools import lru_cache
from zlib import crc32

from onward.features.action.files import INTERPRETERS, FileWords, is_inline
from onward.features.action.script import script_facts
from onward.features.action.types import KIND, Action, kind_flags, target_of
from onward.features.shell import Command, Parsed, parse
from onward.features.slots import slots_of
from onward.features.text import ends_of, line_hashes, name_hash, pattern_words, word_hashes

__all__ = ["command_kind", "counting_of", "shell_action"]

_TEXT_LIMIT = 4000
_CACHED_ACTIONS = 1024

_KIND_WORDS = {
    "read": "cat head tail less more nl ls wc stat file tree pwd echo printf which diff du df ps "
    "env date sort uniq cut tr awk jq sleep",
    "search": "grep egrep fgrep rg ag find locate pgrep lsof",
    "files": "rm mv cp mkdir touch chmod ln rmdir tar unzip zip",
    "test": "pytest tox nox jest vitest mocha runtests.py test unittest",
    "build": "make tsc cmake gcc g++ mvn gradle webpack vite eslint mypy ruff",
    "vcs": "git gh hg",
    "net": "curl wget ssh scp aws nc ping kubectl docker",
    "install": "pip pip3 apt apt-get brew conda uv poetry",
    "edit": "patch ed",
}
_KIND_OF = {word: KIND[kind] for kind, words in _KIND_WORDS.items() for word in words.split()}
_RUNNERS = frozenset(("npm", "yarn", "pnpm", "cargo", "go", "npx"))
_RUNNER_KINDS = {"test": "test", "run": "build", "build": "build"}
_RISK = ("test", "inline", "run", "build", "install", "net", "search", "edit", "files", "vcs")
"""Of several commands whose status counts, the first of these decides the line's kind."""
_MASKS = frozenset(
    ("head", "tail", "cat", "echo", "true", "tee", "wc", "sort", "uniq", "less", "printf", ":")
)
_RECURSIVE = frozenset(("-r", "-R", "-rn", "-rl", "-nr", "-Rn", "-rni", "-rin", "--recursive"))


@lru_cache(maxsize=_CACHED_ACTIONS)
def shell_action(tool: str, command: str, timed: bool) -> Action:
    """The action of a command line.

    Parameters
    ----------
    tool
        The tool's name as the agent gives it.
    command
        The command line.
    timed
        Whether the call sets a time limit.
    """
    parsed = parse(command)
    top = [c for c in parsed.commands if c.depth == 0] or list(parsed.commands)
    counting = counting_of(top, parsed.operators)
    kinds = [command_kind(c) for c in counting]
    lead, kind = _lead(counting, kinds)
    if kind == KIND["read"] and parsed.heredocs and any(c.writes for c in top):
        kind = KIND["write"]
    files = FileWords(parsed.commands)
    body = ends_of("\n".join(text for _, text in parsed.heredocs) or _inline_code(counting))
    template = _template(counting)
    keys = _keys(tool, command, counting, lead, template)
    program = lead.program if lead else ""
    needs, makes, removes = files.needs, files.makes, files.removes
    target = target_of(program, needs, makes)
    looks = _looks(lead) if lead is not None and kind == KIND["search"] else ()
    return Action(
        program=program,
        kind=kind,
        keys=keys,
        target=target,
        lead=name_hash(keys[1]),
        shape=name_hash(keys[3]),
        aim=name_hash(target),
        programs=tuple(dict.fromkeys(f"of {c.program}" for c in counting))[:6],
        needs=needs,
        makes=makes,
        edits=files.edits,
        removes=removes,
        takes_back=files.takes_back,
        script=files.script,
        enters=files.enters,
        looks=looks,
        new_lines=tuple(sorted(line_hashes(body)))[:200],
        said=tuple(sorted(word_hashes(command[:_TEXT_LIMIT]))),
        words=_words(tool, command, counting, template),
        body=script_facts(body),
        static=(
            *_shape_numbers(command, parsed, counting),
            float(len(needs)),
            float(len(makes)),
            float(len(removes)),
            *kind_flags(kind),
            *_search_numbers(lead, looks),
            math.nan,
            0.0,
            float(timed),
            float(sum(len(c.flags) for c in counting)),
        ),
    )


def counting_of(top: list[Command], operators: tuple[str, ...]) -> list[Command]:
    """The commands whose exit status can become that of the whole line."""
    if any(c.program == "set" and "-e" in c.args for c in top):
        return top
    if len(operators) != len(top) - 1:
        # Lines are parted by line breaks, which leave no operator: the last one counts.
        return top[-2:] if "&&" in operators else top[-1:]
    kept: list[Command] = []
    for command, after in zip(top, (*operators, ""), strict=True):
        if after in (";", "&"):
            kept.clear()
        elif after not in ("|", "|&"):
            kept.append(command)
    return kept or top[-1:]


def command_kind(c: Command) -> int:
    """What a command mainly does, as an index of `KINDS`."""
    if c.program in INTERPRETERS:
        return KIND["inline" if is_inline(c) else "run"]
    if c.program == "sed":
        return KIND["edit" if any(flag.startswith("-i") for flag in c.flags) else "read"]
    if c.program in _RUNNERS and c.sub:
        return KIND[_RUNNER_KINDS.get(c.sub, "install")]
    return _KIND_OF.get(c.program, 0)


def _lead(counting: list[Command], kinds: list[int]) -> tuple[Command | None, int]:
    """The command that decides, and its kind."""
    if not counting:
        return None, 0
    for name in _RISK:
        if KIND[name] in kinds:
            return counting[kinds.index(KIND[name])], KIND[name]
    return counting[-1], kinds[-1]


def _keys(
    tool: str, command: str, counting: list[Command], lead: Command | None, template: str
) -> tuple[str, str, str, str, str]:
    exact = f"{tool}#{crc32(command.strip().encode('utf-8', 'replace')):08x}"
    if lead is None:
        return tool, tool, tool, tool, exact
    program = f"{tool}:{lead.program}"
    more = " +" if len(counting) > 1 else ""
    return tool, program, f"{program} {lead.sub}{more}", f"{tool}:{template}", exact


def _template(counting: list[Command]) -> str:
    """The line without what changes from call to call, and without where it runs."""
    shapes = [_shape(c) for c in counting[-4:] if c.program not in ("cd", "export")]
    return " & ".join(shapes or ["cd"])


def _shape(c: Command) -> str:
    """A command without what changes from call to call."""
    via = "m " if "python -m" in c.wrappers else ""
    flags = " ".join(sorted({flag.split("=", 1)[0][:20] for flag in c.flags})[:4])
    ends = " ".join(sorted({posixpath.splitext(path)[1][:8] for path in c.paths})[:2])
    return f"{via}{c.program} {c.sub[:30]} {flags} {ends}{'>' if c.writes else ''}"


def _inline_code(counting: list[Command]) -> str:
    for c in counting:
        flag = "-c" if "-c" in c.args else "-e" if "-e" in c.args else ""
        if c.program in INTERPRETERS and flag:
            return "".join(c.args[c.args.index(flag) + 1 :][:1])
    return ""


def _looks(c: Command) -> tuple[int, ...]:
    plain = [a for a in c.args if not a.startswith("-")]
    return pattern_words(" ".join(plain[1:]) if c.program == "find" else "".join(plain[:1]))


def _search_numbers(c: Command | None, looks: tuple[int, ...]) -> tuple[float, float, float]:
    """How many words are searched for, whether in many files, whether by pattern."""
    if c is None or not looks:
        return 0.0, 0.0, 0.0
    plain = [a for a in c.args if not a.startswith("-")]
    wide = c.program in ("rg", "find") or bool(_RECURSIVE.intersection(c.flags))
    by_pattern = any(sign in plain[0] for sign in "\\[.*+?^$|(")
    return float(len(looks)), float(wide), float(by_pattern)


def _shape_numbers(command: str, parsed: Parsed, counting: list[Command]) -> tuple[float, ...]:
    operators = parsed.operators
    return (
        math.log1p(len(command)),
        float(len(parsed.commands)),
        float(len(counting)),
        float(operators.count("|")),
        float(operators.count("&&")),
        float(operators.count(";")),
        float(operators.count("||")),
        float(bool(counting) and counting[-1].program in _MASKS),
        float(bool(parsed.heredocs)),
        float(any(c.background for c in parsed.commands)),
        float(any(c.dynamic for c in counting)),
        float("/dev/null" in command),
    )


def _words(tool: str, command: str, counting: list[Command], template: str) -> tuple[int, ...]:
    lead = counting[-1].program if counting else tool
    marks = [f"tool {tool}", f"program {lead}", f"shape {template}"]
    for c in counting[:6]:
        marks.append(f"of {c.program}")
        marks += [f"flag {c.program} {flag[:20]}" for flag in c.flags[:6]]
        if c.program in INTERPRETERS and c.args:
            marks += [f"part {part}" for part in _name_parts(c.args[0])]
    return slots_of(marks, command[:_TEXT_LIMIT])


def _name_parts(path: str) -> list[str]:
    """Words in a script's name: "reproduce", "verify", "fix"."""
    name = path.rsplit("/", 1)[-1].lower()
    return name.replace("-", "_").replace(".", "_").split("_")[:5]
