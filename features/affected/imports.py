"""Which files of a project a file imports, directly or through others."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping

from onward.data.testing.source import Source

__all__ = ["Imports"]


class Imports:
    """The static import graph of a project.

    An import counts wherever it stands, also in a function or under a condition. Importing a
    module runs the packages around it, so those count too.

    Parameters
    ----------
    sources
        Path -> parsed file.
    links
        Directories that are links to others: modules below them have a second name.
    """

    def __init__(self, sources: Mapping[str, Source], links: Mapping[str, str] = {}) -> None:
        second = {
            f"{link}/{path[len(real) + 1 :]}": path
            for link, real in links.items()
            for path in sources
            if path.startswith(f"{real}/")
        }
        self._paths = {*sources, *second}
        self._names: dict[str, str] = {}
        self._dotted: dict[str, str] = {}
        for path in sorted(sources):
            own = self._own_name(path)
            self._dotted[path] = own
            self._names.setdefault(own, path)
            self._names.setdefault(_dotted(path), path)
        for path, real in second.items():
            self._names.setdefault(self._own_name(path), real)
        self.direct: dict[str, set[str]] = {
            path: set(self._imported(path, source)) for path, source in sources.items()
        }
        self._distances: dict[str, dict[str, int]] = {}

    def reach(self, path: str) -> Mapping[str, int]:
        """Every file that importing this one may run -> its distance; itself has 0."""
        known = self._distances.get(path)
        if known is None:
            known = self._distances[path] = self._walk([path])
        return known

    def reach_all(self, paths: Iterable[str]) -> dict[str, int]:
        """The same for several files at once, the shortest distances."""
        return self._walk(paths)

    def _walk(self, starts: Iterable[str]) -> dict[str, int]:
        distance = dict.fromkeys(starts, 0)
        front = deque(distance)
        while front:
            path = front.popleft()
            for other in self.direct.get(path, ()):
                if other not in distance:
                    distance[other] = distance[path] + 1
                    front.append(other)
        return distance

    def _own_name(self, path: str) -> str:
        """The dotted name under which a file is imported: from its outermost package down."""
        parts = path.split("/")
        start = len(parts) - 1
        while start > 0 and "/".join((*parts[:start], "__init__.py")) in self._paths:
            start -= 1
        return _dotted("/".join(parts[start:]))

    def _imported(self, path: str, source: Source) -> Iterable[str]:
        own = self._dotted[path].split(".")
        package = own if path.endswith("__init__.py") else own[:-1]
        for level, module, names in source.imports:
            base = module
            if level:
                around = package[: len(package) - level + 1]
                base = ".".join([*around, *([module] if module else [])])
            yield from self._found(base)
            for name in names:
                yield from self._found(f"{base}.{name}" if base else name)
        yield from self._found(".".join(package))

    def _found(self, name: str) -> Iterable[str]:
        """The file of a module and those of the packages around it."""
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            path = self._names.get(".".join(parts[:end]))
            if path is not None:
                yield path


def _dotted(path: str) -> str:
    name = path.removesuffix(".py").replace("/", ".")
    return name.removesuffix(".__init__") if name != "__init__" else ""
