"""Small real faults: one operator, constant, condition or statement of a function made another."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator

__all__ = ["mutations"]

_SWAPS = {
    "==": "!=", "!=": "==", "<": "<=", "<=": "<", ">": ">=", ">=": ">", "is": "is not",
    "is not": "is", "in": "not in", "not in": "in", "+": "-", "-": "+", "*": "+", "and": "or",
    "or": "and", "//": "*", "%": "+",
}  # fmt: skip
_SIGNS = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.Is: "is", ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in", ast.Add: "+",
    ast.Sub: "-", ast.Mult: "*", ast.And: "and", ast.Or: "or", ast.FloorDiv: "//", ast.Mod: "%",
}  # fmt: skip


def mutations(text: str, *, count: int, seed: int) -> list[tuple[str, str]]:
    """Up to *count* changed texts, each with what was done; only code in functions is touched.

    >>> mutations("def f(a, b):\\n    return a + b\\n", count=1, seed=0)[0][1]
    '2: + became -'
    """
    lines = text.splitlines(keepends=True)
    if not text.isascii():
        return []  # columns are bytes
    found = list(_places(ast.parse(text), lines))
    random.Random(seed).shuffle(found)
    made = []
    for line, start, end, new, what in found[:count]:
        row = lines[line - 1]
        changed = [*lines[: line - 1], row[:start] + new + row[end:], *lines[line:]]
        body = "".join(changed)
        try:
            ast.parse(body)
        except SyntaxError:
            continue
        made.append((body, f"{line}: {what}"))
    return made


def _places(tree: ast.Module, lines: list[str]) -> Iterator[tuple[int, int, int, str, str]]:
    """Line, first and last column, the new text, and what was done."""
    for function in ast.walk(tree):
        if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        for statement in function.body:
            for node in ast.walk(statement):
                yield from _of(node, lines)


def _of(node: ast.AST, lines: list[str]) -> Iterator[tuple[int, int, int, str, str]]:
    pairs: list[tuple[ast.expr, ast.AST, ast.expr]] = []
    if isinstance(node, ast.Compare):
        pairs = [(node.left, node.ops[0], node.comparators[0])]
    elif isinstance(node, ast.BinOp):
        pairs = [(node.left, node.op, node.right)]
    elif isinstance(node, ast.BoolOp):
        pairs = [(node.values[0], node.op, node.values[1])]
    for left, sign, right in pairs:
        old = _SIGNS.get(type(sign))
        if old is None or left.end_lineno != right.lineno:
            continue
        first, last = left.end_col_offset or 0, right.col_offset
        between = lines[right.lineno - 1][first:last]
        at = between.find(old)
        if at >= 0:
            yield right.lineno, first + at, first + at + len(old), _SWAPS[old], (
                f"{old} became {_SWAPS[old]}"
            )
    if isinstance(node, ast.Constant) and type(node.value) is int and node.lineno == node.end_lineno:
        new = str(node.value + 1)
        yield node.lineno, node.col_offset, node.end_col_offset or 0, new, f"{node.value} became {new}"
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        new = str(not node.value)
        yield node.lineno, node.col_offset, node.end_col_offset or 0, new, f"{node.value} became {new}"
    if isinstance(node, ast.Return) and node.value and node.value.lineno == node.value.end_lineno:
        value = node.value
        if not (isinstance(value, ast.Constant) and value.value is None):
            yield value.lineno, value.col_offset, value.end_col_offset or 0, "None", "returns None"
    if isinstance(node, ast.If) and node.test.lineno == node.test.end_lineno:
        test = node.test
        yield test.lineno, test.col_offset, test.end_col_offset or 0, "False", "never taken"
