"""Words of a shell command: quotes removed, constants put in, the rest marked as unknown.

A piece that only the running shell could know (a variable, a substitution) is written as a
*hole*: its name between ``⟨`` and ``⟩``. A command that holds these signs by itself is merely
trusted less.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node

__all__ = ["FOUND", "HOLE", "Words", "has_hole", "unescape"]

HOLE = "⟨…⟩"
"""A piece whose value only the running shell knows."""
FOUND = "⟨found⟩"
"""The name of a file that find, grep or git listed: it lies below what stands before it."""

_SPLIT = "\x00"  # where an unquoted expansion parts words; the input holds no NUL
_ESCAPED = re.compile(r"\\(\n?)(.?)", re.DOTALL)
_STRING_ESCAPED = re.compile(r"\\([\\\"$`\n])")
_BRACES = re.compile(r"\{([^{},]*(?:,[^{},]*)+)\}")
_ANSI = re.compile(
    r"\\(?:x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{1,4})|U([0-9a-fA-F]{1,8})|0?([0-7]{1,3})|c(.)|(.))",
    re.DOTALL,
)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b", "E": "\x1b"}
_LETTERS |= {"f": "\f", "v": "\v"}
_WELL_KNOWN = {"HOME": "~", "PWD": ".", "IFS": " "}
_MAX_BRACES = 64
_MAX_NODES = 20_000


def has_hole(word: str) -> bool:
    """Tell whether a part of the word is unknown before it runs.

    >>> has_hole("src/⟨NAME⟩.py")
    True
    """
    return "⟨" in word


def unescape(text: str) -> str:
    r"""Give what ``$'...'``, ``echo -e`` and ``printf`` make of a text with escapes.

    >>> unescape(r"\x72m\040-rf")
    'rm -rf'
    """
    return _ANSI.sub(_unescaped, text) if "\\" in text else text


def _unescaped(match: re.Match[str]) -> str:
    hexed = match[1] or match[2] or match[3]
    if hexed:
        code = int(hexed, 16)
        return chr(code) if 0 < code < 0x110000 else ""
    if match[4]:
        return chr(int(match[4], 8) & 0xFF).replace("\0", "")
    if match[5]:
        return ""
    return _LETTERS.get(match[6], match[6])


class Words:
    """Reads the words of one script.

    Parameters
    ----------
    script
        The text, without NUL.
    constants
        Variables whose value is known; None for one whose value is not. Shared with whoever
        reads on, since an assignment holds for the commands after it.

    Notes
    -----
    Substitutions met on the way are collected in `pending`, for whoever walks the commands.
    """

    def __init__(self, script: str, constants: dict[str, str | None]) -> None:
        self._text = script
        self.constants = constants
        self.pending: list[Node] = []
        self.globbed = False
        self._braced = False

    def cut(self, start: int, end: int) -> str:
        """Give the text between two places."""
        return self._text[start:end]

    def source(self, node: Node) -> str:
        """Give the source of a node."""
        return self.cut(node.start_byte, node.end_byte)

    def read(self, node: Node) -> list[str]:
        """Give the words that a node stands for: mostly one, none or several by expansion."""
        kind = node.type
        if kind == "word":
            text = self._word(node)
            if not self._braced:
                return [text]
        else:
            text = self._piece(node, kind)
        words = [part for part in text.split(_SPLIT) if part] if _SPLIT in text else [text]
        if self._braced:
            self._braced = False
            words = [one for word in words for one in _expand_braces(word)]
        return words

    def text(self, node: Node) -> str:
        """Give a node's value as one text, never split."""
        self._braced = False
        return self._piece(node, node.type).replace(_SPLIT, " ")

    def document(self, node: Node) -> str:
        """Give the body of a here-document, constants put in."""
        at, parts = node.start_byte, []
        for child in node.children:
            if child.type in {"simple_expansion", "expansion", "command_substitution"}:
                parts.append(self.cut(at, child.start_byte))
                parts.append(self._value(child))
                at = child.end_byte
        parts.append(self.cut(at, node.end_byte))
        return "".join(parts)

    def _value(self, node: Node) -> str:
        if node.type == "command_substitution":
            return HOLE
        return self._expansion(node)

    def _piece(self, node: Node, kind: str) -> str:
        if kind in {"word", "command_name"}:
            children = node.children
            return self._joined(children) if children else self._word(node)
        if kind in {"string", "translated_string"}:
            return self._string(node)
        if kind == "raw_string":
            return self.cut(node.start_byte + 1, node.end_byte - 1)
        if kind == "concatenation":
            return self._joined(node.children)
        if kind in {"simple_expansion", "expansion"}:
            return self._expansion(node).replace(" ", _SPLIT)
        return self._rare(node, kind)

    def _joined(self, children: list[Node]) -> str:
        return "".join([self._piece(child, child.type) for child in children])

    def _rare(self, node: Node, kind: str) -> str:
        if kind == "ansi_c_string":
            return unescape(self.cut(node.start_byte + 2, node.end_byte - 1))
        if kind in ("command_substitution", "process_substitution"):
            self.pending.append(node)
            return HOLE
        if kind == "arithmetic_expansion":
            self.search(node)
            return "⟨number⟩"
        if kind == "$":  # the grammar lost the name behind it
            return HOLE
        if kind == "array":
            return _SPLIT.join([self._piece(child, child.type) for child in node.named_children])
        self.search(node)
        return self._word(node)

    def _word(self, node: Node) -> str:
        text = self.source(node)
        if "\\" in text:
            bare = _ESCAPED.sub("", text)
            text = _ESCAPED.sub(r"\2", text)
        else:
            bare = text
        if "*" in bare or "?" in bare or "[" in bare:
            self.globbed = True
        if "{" in bare:
            self._braced = True
        return text

    def _string(self, node: Node) -> str:
        """Join what stands between a string's expansions, blanks that the grammar drops too."""
        at = node.start_byte + (2 if node.type == "translated_string" else 1)
        parts = []
        for child in node.children:
            kind = child.type
            if kind in {'"', "string_content"}:
                continue
            parts.append(self._unquoted(at, child.start_byte))
            parts.append(self._piece(child, kind).replace(_SPLIT, " "))
            at = child.end_byte
        parts.append(self._unquoted(at, node.end_byte - 1))
        return "".join(parts)

    def _unquoted(self, start: int, end: int) -> str:
        text = self.cut(start, end)
        if "\\" not in text:
            return text
        return _STRING_ESCAPED.sub(lambda m: "" if m[1] == "\n" else m[1], text)

    def _expansion(self, node: Node) -> str:
        children = node.children
        plain = node.type == "simple_expansion" or len(children) == 3
        name = self.source(children[1]) if len(children) > 1 else ""
        if not plain:
            self.search(node)
            return f"⟨{name}⟩" if name.isidentifier() else HOLE
        value = self.constants.get(name, _WELL_KNOWN.get(name))
        return f"⟨{name}⟩" if value is None else value

    def search(self, node: Node) -> None:
        """Collect the substitutions anywhere below a node."""
        stack, seen = list(node.children), 0
        while stack and seen < _MAX_NODES:
            child = stack.pop()
            seen += 1
            if child.type in ("command_substitution", "process_substitution"):
                self.pending.append(child)
            else:
                stack.extend(child.children)


def _expand_braces(word: str) -> list[str]:
    done: list[str] = []
    todo = [word]
    while todo and len(done) + len(todo) < _MAX_BRACES:
        text = todo.pop()
        match = _BRACES.search(text)
        if match is None:
            done.append(text)
            continue
        head, tail = text[: match.start()], text[match.end() :]
        todo.extend(head + part + tail for part in reversed(match[1].split(",")))
    return done + todo
