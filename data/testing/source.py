"""A Python file as blocks: what can change alone, and which names each part mentions.

A *block* is a function at the top of a module or a method in a class, nested functions included.
A *statement* is everything else that runs when the module is imported: imports, assignments, the
heads of classes and functions, bodies of classes. Blocks and statements carry a hash of their
syntax tree, so comments and layout change nothing. The idea of hashing blocks is testmon's
(Tibor Arpas); statements that are told apart by the names they define are ours.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Sequence
from hashlib import blake2b

import msgspec

__all__ = ["ANY", "Block", "Source", "Statement", "digest_of", "functions", "read_source"]

ANY = "*"
"""Stands among the names of code that looks names up while it runs, and so may mean any."""
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_DYNAMIC_TEXT = """
globals vars dir __dict__ getmembers import_module __import__ modules eval exec
"""
_DYNAMIC = frozenset(_DYNAMIC_TEXT.split())
_CACHES = frozenset({"cache", "lru_cache", "cached_property", "cached", "memoize"})
_LOOKUPS = frozenset({"getattr", "hasattr", "setattr", "delattr"})
_GETTERS = frozenset({"attrgetter", "methodcaller"})
_PURE_TEXT = """
frozenset set dict list tuple int str bytes float bool object range len sorted min max zip compile
TypeVar ParamSpec TypeVarTuple NewType namedtuple partial getLogger Path Decimal Fraction
timedelta date datetime itemgetter attrgetter property staticmethod classmethod cast Struct
isinstance issubclass hasattr getattr join split format count repeat chain field Enum defaultdict
OrderedDict Counter deque escape Lock RLock local sum ContextVar loads dumps get_version
get_versions strip lower upper
replace keys values items get union
"""
_PURE = frozenset(_PURE_TEXT.split())
_QUIET_TEXT = """
wraps lru_cache cache cached_property property staticmethod classmethod abstractmethod overload
contextmanager asynccontextmanager dataclass total_ordering setter getter deleter final override
runtime_checkable no_type_check deprecated singledispatch parametrize skipif skip xfail
usefixtures filterwarnings given example settings
"""
_QUIET = frozenset(_QUIET_TEXT.split())


class Block(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A function or method."""

    name: str
    """``function`` or ``Class.method``; a second one of the same name gets ``#2``."""
    code: str
    """Hash of its body, without its docstring where nobody can see it change."""
    doc: str
    """Hash of its docstring; empty where it has none or it counts as code."""
    names: list[str]
    """Names that its code mentions, sorted, short strings included; may hold `ANY`."""
    keeps: list[str] = []
    """Names under which others get what it once worked out, without running it again."""


class Statement(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Something that runs when the module is imported."""

    code: str
    defines: list[str]
    """Names that it gives a meaning."""
    names: list[str]
    """Names that it mentions."""
    effect: bool
    """It may change more than the names that it defines."""


class Source(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A Python file."""

    digest: str
    blocks: list[Block]
    statements: list[Statement]
    imports: list[tuple[int, str, list[str]]]
    """Level (0 = absolute), module and names of each import, wherever it stands."""
    broken: bool = False
    """It cannot be parsed: nothing is known of it."""


def digest_of(body: bytes) -> str:
    """The hash by which a file's content is known.

    >>> len(digest_of(b""))
    16
    """
    return blake2b(body, digest_size=8).hexdigest()


def read_source(body: bytes) -> Source:
    r"""The blocks and statements of a file; one that cannot be parsed comes back ``broken``.

    >>> source = read_source(b"LIMIT = 3\ndef twice(x):\n    return 2 * x\n")
    >>> [block.name for block in source.blocks], source.statements[0].defines
    (['twice'], ['LIMIT'])
    """
    digest = digest_of(body)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an old file's escapes are not our business
            tree = ast.parse(body)
        blocks = [_block(name, node, owner) for name, node, owner in functions(tree)]
        statements = list(_statements(tree.body, ""))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Source(digest, [], [], [], broken=True)
    return Source(digest, blocks, statements, list(_imports(tree)))


def functions(
    tree: ast.Module,
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef, ast.ClassDef | None]]:
    r"""Every block's name, node and class, in the order of the file.

    >>> [name for name, *_ in functions(ast.parse("class A:\n def f(self): pass"))]
    ['A.f']
    """
    seen: dict[str, int] = {}
    for name, node, owner in _functions(tree.body, "", None):
        seen[name] = seen.get(name, 0) + 1
        yield (name if seen[name] == 1 else f"{name}#{seen[name]}"), node, owner


def _functions(
    body: Sequence[ast.stmt], prefix: str, owner: ast.ClassDef | None
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef, ast.ClassDef | None]]:
    for node in body:
        if isinstance(node, _FUNCTIONS):
            yield prefix + node.name, node, owner
        elif isinstance(node, ast.ClassDef):
            yield from _functions(node.body, f"{prefix}{node.name}.", node)


def _block(
    name: str, node: ast.FunctionDef | ast.AsyncFunctionDef, owner: ast.ClassDef | None
) -> Block:
    body, doc = node.body, ""
    watched = node.decorator_list or (owner and (owner.decorator_list or owner.keywords))
    if ast.get_docstring(node, clean=False) is not None and not watched:
        doc, body = _hash(body[:1]), body[1:]
    names = _names(node.body)
    names.update(one.arg for one in ast.walk(node.args) if isinstance(one, ast.arg))
    names.update(name.partition("#")[0].split("."))  # who ran a method has met its class
    return Block(name, _hash(body), doc, sorted(names), _kept(node))


def _kept(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """Its own name where its results are cached, and the globals that it sets."""
    own = [node.name] if any(_called(one) in _CACHES for one in node.decorator_list) else []
    shared = (one for one in ast.walk(node) if isinstance(one, ast.Global))
    return own + [name for one in shared for name in one.names]


# -- statements ------------------------------------------------------------------------------------


def _statements(body: Sequence[ast.stmt], owner: str) -> Iterator[Statement]:
    """What runs at import; what stands in a class also gives the class its meaning."""
    outer = [owner.rpartition(".")[2]] if owner else []
    for place, node in enumerate(body):
        if isinstance(node, _FUNCTIONS):
            yield _head(node, outer)
        elif isinstance(node, ast.ClassDef):
            yield _class(node, outer)
            yield from _statements(node.body, f"{owner}.{node.name}")
        elif not (place == 0 and _is_text(node)):
            names = _names([node])
            effect = _has_effect(node) and not owner
            yield Statement(_hash([node]), sorted(_defined(node)) + outer, sorted(names), effect)


def _head(node: ast.FunctionDef | ast.AsyncFunctionDef, outer: list[str]) -> Statement:
    """A function's name, arguments and decorators.

    A method that Python calls by itself, or that something wraps, gives its class another meaning.
    """
    parts: list[ast.AST] = [node.args, *node.decorator_list]
    parts += [node.returns] if node.returns else []
    marked = node.name.startswith("__") or bool(node.decorator_list)
    code = _hash([*parts, ast.Constant(f"{node.name}{type(node).__name__}")])
    loud = not outer and any(_called(one) not in _QUIET for one in node.decorator_list)
    return Statement(code, [node.name, *(outer if marked else [])], sorted(_names(parts)), loud)


def _class(node: ast.ClassDef, outer: list[str]) -> Statement:
    parts: list[ast.AST] = [*node.bases, *node.keywords, *node.decorator_list]
    loud = any(_called(one) not in _QUIET for one in node.decorator_list)
    code = _hash([*parts, ast.Constant(node.name)])
    return Statement(code, [node.name, *outer], sorted(_names(parts)), loud and not outer)


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _defined(node: ast.stmt) -> set[str]:
    """Names that a statement gives a meaning, however deep in it."""
    found = set()
    for one in ast.walk(node):
        if isinstance(one, ast.Name) and not isinstance(one.ctx, ast.Load):
            found.add(one.id)
        elif isinstance(one, (*_FUNCTIONS, ast.ClassDef)):
            found.add(one.name)
        elif isinstance(one, ast.alias):
            found.add((one.asname or one.name).split(".")[0])
        elif isinstance(one, ast.Attribute) and not isinstance(one.ctx, ast.Load):
            found.add(one.attr)
    return found


def _has_effect(node: ast.stmt) -> bool:
    """Whether it may change more than the names it defines: it calls, or it stores into things."""
    for one in ast.walk(node):
        if isinstance(one, ast.Call) and _called(one) not in _PURE:
            return True
        if isinstance(one, (ast.Attribute, ast.Subscript)) and not isinstance(one.ctx, ast.Load):
            return True
        if isinstance(one, ast.alias) and one.name == "*":
            return True
        if isinstance(one, (ast.Raise, ast.Await, ast.Yield)):
            return True
    return False


def _called(node: ast.expr) -> str:
    """The last name of what is called or decorates.

    >>> _called(ast.parse("re.compile('a')", mode="eval").body)
    'compile'
    """
    while isinstance(node, (ast.Call, ast.Subscript)):
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


# -- names and hashes ------------------------------------------------------------------------------


def _names(nodes: Sequence[ast.AST]) -> set[str]:
    """Every name that code mentions; `ANY` where it looks names up while it runs."""
    found: set[str] = set()
    for node in nodes:
        for one in ast.walk(node):
            found.update(_named(one))
            if isinstance(one, ast.Call) and _looks_up(one):
                found.add(ANY)
    if not found.isdisjoint(_DYNAMIC):
        found.add(ANY)
    return found


def _named(node: ast.AST) -> Sequence[str]:
    """The names that stand in one node; a short string may be looked up as a name."""
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute):
        return (node.attr,)
    if isinstance(node, ast.alias):  # what a star brings keeps its names
        return () if node.name == "*" else node.name.split(".")
    if isinstance(node, ast.keyword):
        return (node.arg,) if node.arg else ()
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = node.value
        if len(text) < 60 and text.replace(".", "_").isidentifier():
            return text.split(".")
    return ()


def _looks_up(call: ast.Call) -> bool:
    """Whether it looks a name up that does not stand there."""
    called = _called(call)
    if called in _GETTERS:
        return not all(isinstance(one, ast.Constant) for one in call.args)
    return called in _LOOKUPS and len(call.args) > 1 and not isinstance(call.args[1], ast.Constant)


def _hash(nodes: Sequence[ast.AST]) -> str:
    text = "\n".join(ast.dump(node, annotate_fields=False) for node in nodes)
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def _imports(tree: ast.Module) -> Iterator[tuple[int, str, list[str]]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for one in node.names:
                yield 0, one.name, []
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or "", [one.name for one in node.names]
