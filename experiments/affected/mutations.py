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
    r"""Up to *count* changed texts, each with what was done; only code in functions is touched.

    >>> mutations("def f(a, b):\n    return a + b\n", count=1, seed=0)[0][1]
    '2: returns None'
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
            yield (
                right.lineno,
                first + at,
                first + at + len(old),
                _SWAPS[old],
                (f"{old} became {_SWAPS[old]}"),
            )
    if isinstance(node, (ast.Constant, ast.Return, ast.If)):
        yield from _whole(node)


def _whole(node: ast.Constant | ast.Return | ast.If) -> Iterator[tuple[int, int, int, str, str]]:
    """A constant, what is returned, or a condition, as a whole."""
    part, new, what = _replaced(node)
    if part is not None and part.lineno == part.end_lineno:
        yield part.lineno, part.col_offset, part.end_col_offset or 0, new, what


def _replaced(node: ast.Constant | ast.Return | ast.If) -> tuple[ast.expr | None, str, str]:
    if isinstance(node, ast.If):
        return node.test, "False", "never taken"
    if isinstance(node, ast.Return):
        return node.value, "None", "returns None"
    if isinstance(node.value, bool):
        return node, str(not node.value), f"{node.value} became {not node.value}"
    if isinstance(node.value, int):
        return node, str(node.value + 1), f"{node.value} became {node.value + 1}"
    return None, "", ""
