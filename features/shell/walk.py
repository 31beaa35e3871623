"""The walk over a script's syntax tree, which hands each command's words to the collector."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import tree_sitter_bash
from tree_sitter import Language, Parser

from onward.features.shell.commands import Collector, Fields
from onward.features.shell.words import HOLE, Words

if TYPE_CHECKING:
    from collections.abc import Callable

    from tree_sitter import Node

__all__ = ["Walk"]

_MAX_COMMANDS = 400
_MAX_LEVEL = 80
_MAX_SCRIPTS = 6  # scripts inside scripts
_LANGUAGE = Language(tree_sitter_bash.language())
_FOREIGN = re.compile(r"[^\x00-\x7f]")
_OPERATORS = frozenset({"&&", "||", "|", "|&", ";", "&"})


class Walk:
    """One pass over a command line; `out` holds the commands found."""

    def __init__(self) -> None:
        self.out = Collector(self.script)
        self.operators: list[str] = []
        self.heredocs: list[tuple[str, str]] = []
        self.ok = True
        self._words = Words("", self.out.constants)
        self._level = self._scripts = 0

    def script(self, text: str) -> None:
        """Walk a whole script; one inside another too, to a bounded depth."""
        if self._scripts >= _MAX_SCRIPTS:
            self.ok = False
            return
        root = Parser(_LANGUAGE).parse(_ascii(text)).root_node
        self.ok = self.ok and not root.has_error
        words, self._words = self._words, Words(text, self.out.constants)
        self._scripts += 1
        self._walk(root)
        self._scripts -= 1
        self._words = words

    def _walk(self, node: Node) -> None:
        if self._level >= _MAX_LEVEL or len(self.out.commands) >= _MAX_COMMANDS:
            self.ok = False
            return
        self._level += 1
        handler = _HANDLERS.get(node.type)
        if handler is None:
            self._sequence(node)
        else:
            handler(self, node)
        self._level -= 1

    def _sequence(self, node: Node) -> None:
        commands = self.out.commands
        start = len(commands)
        for child in node.children:
            if child.is_named:
                start = len(commands)
                self._walk(child)
            elif child.type in _OPERATORS:
                self.operators.append(child.type)
                if child.type == "&":
                    for fields in commands[start:]:
                        fields["background"] = True

    def _inside(self, node: Node) -> None:
        """Walk what stands in a subshell or substitution: its ``cd`` ends with it."""
        out = self.out
        fed, cwd, out.fed = out.fed, out.cwd, []
        out.depth += 1
        self._sequence(node)
        out.depth -= 1
        out.fed, out.cwd = fed, cwd

    def _branches(self, node: Node) -> None:
        """Walk what may run or not: afterwards nobody knows the folder, if it changed there."""
        cwd = self.out.cwd
        self._sequence(node)
        if self.out.cwd != cwd:
            self.out.cwd = HOLE

    def _function(self, node: Node) -> None:
        out, name = self.out, self._words.source(node.named_children[0])
        cwd = out.cwd
        out.open_functions.append(name)
        out.depth += 1
        self._sequence(node)
        out.depth -= 1
        out.open_functions.pop()
        out.functions[name] = out.cwd != cwd
        out.cwd = cwd

    def _list(self, node: Node) -> None:
        """Walk ``a && b || c``, which the grammar nests to the left, without recursion."""
        parts: list[Node] = []
        while node.type == "list":
            parts.extend(reversed(node.children[1:]))
            node = node.children[0]
        self._walk(node)
        for part in reversed(parts):
            if part.is_named:
                self._walk(part)
            elif part.type in _OPERATORS:
                self.operators.append(part.type)

    def _pipeline(self, node: Node) -> None:
        out = self.out
        outer = fed = out.fed
        cwd = out.cwd
        for child in node.children:
            if not child.is_named:
                self.operators.append(child.type)
                continue
            start = len(out.commands)
            out.fed = fed
            self._walk(child)
            out.cwd = cwd
            fed = [*fed, *out.commands[start:]]
        out.fed = outer

    def _redirected(self, node: Node) -> None:
        start = len(self.out.commands)
        body = node.children[0]
        redirects = [child for child in node.children if child.type.endswith("_redirect")]
        before = self._redirections(redirects)
        if body.type == "command":
            self._command(body, before)
        elif body.type.endswith("_redirect"):
            self.out.emit([], (), before)
        else:
            self._walk(body)
            self.out.attach(start, before)
        self._flush()
        for redirect in redirects:
            if redirect.type == "heredoc_redirect":
                self._after_heredoc(redirect, start)

    def _redirections(self, redirects: list[Node]) -> Fields:
        found: Fields = {}
        for node in redirects:
            if node.type == "heredoc_redirect":
                self._heredoc(node, found)
            elif node.type == "herestring_redirect":
                found["stdin"] = self._words.text(node.named_children[-1])
            else:
                self._file(node, found)
        return found

    def _file(self, node: Node, found: Fields) -> None:
        sign = next((child.type for child in node.children if not child.is_named), ">")
        key = "reads" if sign in ("<", "<&") else "writes"
        for child in node.named_children:
            if child.type == "file_descriptor":
                continue
            word = self._words.text(child)
            if sign not in (">&", "<&", ">&-", "<&-") or not (word.isdigit() or word == "-"):
                found[key] = (*found.get(key, ()), word)

    def _heredoc(self, node: Node, found: Fields) -> None:
        body, quoted = "", False
        for child in node.children:
            if child.type == "heredoc_start":
                quoted = not self._words.source(child).isidentifier()
            elif child.type == "heredoc_body":
                body = self._words.source(child) if quoted else self._words.document(child)
                self._words.search(child)
            elif child.type == "file_redirect":
                self._file(child, found)
        found["stdin"] = body
        self.heredocs.append((next(iter(found.get("writes", ())), ""), body))

    def _after_heredoc(self, node: Node, start: int) -> None:
        """Walk what follows ``<<EOF`` on its line: the grammar hangs it below the redirection."""
        out = self.out
        for child in node.children:
            if child.type in _OPERATORS:
                self.operators.append(child.type)
            elif child.type == "pipeline":
                fed, out.fed = out.fed, [*out.fed, *out.commands[start:]]
                self._pipeline(child)
                out.fed = fed
            elif child.type in _HANDLERS:
                self._walk(child)

    def _command(self, node: Node, redirected: Fields | None = None) -> None:
        words, argv, env = self._words, list[str](), list[str]()
        known = True
        found = redirected or {}
        for child in node.children:
            kind = child.type
            if kind == "command_name":
                words.globbed = False
                argv = words.read(child.children[0] if child.children else child)
                known = not words.globbed
                self.out.note_use(words.source(child))
            elif kind == "variable_assignment":
                env.append(f"{words.source(child.children[0])}={self._value(child)}")
            elif kind.endswith("_redirect"):
                found = {**found, **self._redirections([child])}
            elif kind == "subshell":  # no argument in bash, but the grammar takes it for one
                words.pending.append(child)
            elif child.is_named:
                argv.extend(words.read(child))
            elif kind not in _OPERATORS:
                argv.append(words.source(child))
        self.out.emit(argv, env, found, known=known)
        self._flush()

    def _flush(self) -> None:
        """Walk the substitutions that the words just read have left."""
        pending = self._words.pending
        while pending:
            self._inside(pending.pop(0))

    def _assignment(self, node: Node) -> None:
        children = node.children
        value = self._value(node)
        plain = len(children) < 2 or children[1].type == "="
        self.out.assign(self._words.source(children[0]), value, plain=plain)
        self._flush()

    def _value(self, node: Node) -> str:
        return self._words.text(node.children[-1]) if len(node.children) > 2 else ""

    def _declaration(self, node: Node) -> None:
        argv = [node.children[0].type]
        for child in node.named_children:
            if child.type == "variable_assignment":
                self._assignment(child)
                argv.append(f"{self._words.source(child.children[0])}={self._value(child)}")
            else:
                argv.extend(self._words.read(child))
        self.out.emit(argv, (), {})
        self._flush()

    def _test(self, node: Node) -> None:
        self._words.search(node)
        self.out.emit(["test", *self._words.source(node).strip("[] ").split()], (), {})
        self._flush()

    def _loop(self, node: Node) -> None:
        for child in node.children:
            if child.type == "variable_name":
                self.out.constants[self._words.source(child)] = None
            elif child.type in _HANDLERS and child.type != "word":
                self._walk(child)

    def _case(self, node: Node) -> None:
        for child in node.named_children:
            self._walk(child)

    def _bare(self, node: Node) -> None:
        """Read a word that is no command, for the substitutions in it."""
        self._words.text(node)
        self._flush()

    def _skip(self, node: Node) -> None:
        """Leave out a node that runs nothing."""


def _ascii(text: str) -> bytes:
    """Give the text with a letter for each character beyond ASCII.

    Places in bytes are then places in the text; and the grammar's scanner, which looks up
    characters in C tables of 256 entries, never reads beyond them.
    """
    return text.encode() if text.isascii() else _FOREIGN.sub("x", text).encode()


_HANDLERS: dict[str, Callable[[Walk, Node], None]] = {
    "list": Walk._list,
    "pipeline": Walk._pipeline,
    "redirected_statement": Walk._redirected,
    "command": Walk._command,
    "variable_assignment": Walk._assignment,
    "variable_assignments": Walk._sequence,
    "declaration_command": Walk._declaration,
    "unset_command": Walk._declaration,
    "test_command": Walk._test,
    "for_statement": Walk._loop,
    "c_style_for_statement": Walk._branches,
    "while_statement": Walk._branches,
    "if_statement": Walk._branches,
    "elif_clause": Walk._branches,
    "else_clause": Walk._branches,
    "case_statement": Walk._case,
    "case_item": Walk._case,
    "do_group": Walk._branches,
    "compound_statement": Walk._sequence,
    "negated_command": Walk._sequence,
    "function_definition": Walk._function,
    "subshell": Walk._inside,
    "command_substitution": Walk._inside,
    "process_substitution": Walk._inside,
    "string": Walk._bare,
    "expansion": Walk._bare,
    "simple_expansion": Walk._bare,
    "concatenation": Walk._bare,
    "arithmetic_expansion": Walk._bare,
    "comment": Walk._skip,
    "word": Walk._skip,
    "number": Walk._skip,
    "variable_name": Walk._skip,
}
