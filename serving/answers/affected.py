"""Which tests a change touches, how likely each fails, and what is still owed.

It answers from `tests.db`, not from the history's log: what tests ran on is kept there. With no
model, or one that did not beat its peer, running counts answer: how often tests failed that were
touched in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from onward.data.errors import BundleError
from onward.data.testing.runs import TestRecord, TestRun
from onward.data.testing.source import Source, read_source
from onward.data.testing.store import FILE, TestStore
from onward.data.testing.tree import Stamps, environment, links, scan
from onward.decisions.selection import Candidate
from onward.features.affected.change import Change, Tree, change_between, kind_of, settings_of
from onward.features.affected.fold import VERSION, TestFold, by_counts
from onward.features.affected.marks import Known
from onward.features.affected.touch import Touch, touches, vector_table
from onward.models.live import read_live

if TYPE_CHECKING:
    from onward.serving.answers.base import Part

__all__ = ["Ranked", "Suite", "as_candidates", "live_part"]

_MAX_BASES = 40
"""Trees that tests last ran on and that are compared; tests of older ones count as never run."""


class Ranked(msgspec.Struct, frozen=True, kw_only=True):
    """One test beside the change since it last ran."""

    node: str
    """pytest's id."""
    tier: str
    """``must``: touched, or nobody can tell; ``may``: a changed file is within its imports;
    ``none``."""
    p_fail: float
    """Probability that it fails now, 0 to 1."""
    flake: float
    """Posterior mean of P(it flips without cause), 0 to 1."""
    seconds: float
    """How long it usually takes; 0 = unknown."""
    reasons: list[str]
    """Why it is touched; empty where it is not."""


class Suite:
    """The tests of one project.

    Parameters
    ----------
    root
        The project: pytest's root directory.
    home
        The state directory.
    read_only
        Changes nothing.

    Raises
    ------
    NotFound
        Nothing was recorded yet, and nothing may be changed.
    StoreError
        What was recorded cannot be used.
    """

    name = "affected"

    def __init__(self, root: Path, home: Path, *, read_only: bool = False) -> None:
        self._root = root
        self._store = TestStore(home / FILE, read_only=read_only)
        self._part: Part | None = None
        self._made = set(self._texts("made"))
        self._links = links(root)
        self._stamps = self._scanned(self._store.stamps())
        self._sources: dict[str, Source] = {}
        self.tree = self._tree({path: digest for path, (_, digest) in self._stamps.items()})
        self.tree.settings = settings_of(self._settings())
        self.tree.environment = environment()
        self.records = self._store.tests()
        self.fold = self._folded()
        self._known: Known | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._store.close()

    def use(self, part: Part | None) -> None:
        """Answer with this model from now on; None = there is none, counts answer."""
        self._part = part

    @property
    def note(self) -> str:
        """Why the answer is less than the full one; empty: it is the full one."""
        if self._part is None:
            return "no model is published; running counts answer"
        return "" if self._part.beats_peer else "the model did not beat the counts; these answer"

    def changed(self) -> list[str]:
        """Files that differ from those of the newest run."""
        last = self._store.last_run()
        if last is None:
            return []
        both = last.tree.keys() | self.tree.digests.keys()
        return sorted(p for p in both if last.tree.get(p) != self.tree.digests.get(p))

    def owed(self) -> list[str]:
        """Tests whose newest result is of another state of the project than this one."""
        runs = {run.id: run for run in self._store.runs({one.run for one in self._tests()})}
        same = {number for number, run in runs.items() if run.tree == self.tree.digests}
        return sorted(one.node for one in self._tests() if one.run not in same)

    def rank(self, nodes: Sequence[str] | None = None, own: Mapping[str, str] = {}) -> list[Ranked]:
        """Tests beside the change since they last ran.

        Parameters
        ----------
        nodes
            The tests that there are now, in order; None: those that are known.
        own
            Test -> ``path::block`` of its function; what is not given is derived from its id.
        """
        found = self.touch(nodes, own)
        p = self._p_fail(found)
        return [
            Ranked(
                node=one.node,
                tier=one.tier,
                p_fail=p[at],
                flake=self.fold.flake(one.node),
                seconds=self.fold.seconds(one.node),
                reasons=one.reasons,
            )
            for at, one in enumerate(found)
        ]

    def touch(self, nodes: Sequence[str] | None = None, own: Mapping[str, str] = {}) -> list[Touch]:
        """The features behind `rank`."""
        if nodes is None:
            nodes = [one.node for one in self._tests()]
        return touches(self.known(), nodes, {node: own.get(node, _own(node)) for node in nodes})

    def known(self) -> Known:
        """All that is known, with the changes since each run that some test last ran in."""
        if self._known is None:
            wanted = sorted({one.run for one in self.records.values()})[-_MAX_BASES:]
            trees = {run.id: self._tree_of(run) for run in self._store.runs(wanted)}
            self._known = Known(
                tree=self.tree,
                trees=trees,
                changes={run: self._change(tree) for run, tree in trees.items()},
                records=self.records,
                blocks=self._store.blocks(),
                imports=self._store.imports(),
                unwatched=set(self._texts("unwatched")),
                fold=self.fold,
            )
        return self._known

    def record(
        self,
        run: TestRun,
        records: Iterable[TestRecord],
        *,
        keys: Sequence[str],
        imports: Mapping[str, Iterable[int]],
        unwatched: Iterable[str],
        gone: Iterable[str] = (),
    ) -> None:
        """Keep what a run showed, whole or not at all.

        Parameters
        ----------
        run
            What came out; its tree is filled in here.
        records
            What each test that ran rests on; ``blocks`` are places in ``keys``.
        keys
            ``path::block`` by place.
        imports
            File -> places in ``keys`` of what ran while it was imported.
        unwatched
            Files that were loaded unseen.
        gone
            Tests that are no more.
        """
        digests = self._settled()
        run = msgspec.structs.replace(
            run, tree=digests, environment=self._settings_key(), changed=self.changed()
        )
        self.fold.learn(run)
        store = self._store
        with store.writing():
            number = store.add_run(run)
            lasting = store.number_blocks(keys)
            store.put_tests(
                msgspec.structs.replace(
                    one, run=number, blocks=sorted({lasting[place] for place in one.blocks})
                )
                for one in records
            )
            store.forget_tests(gone)
            store.put_imports(
                {path: {lasting[place] for place in places} for path, places in imports.items()}
            )
            store.put_sources(self._sources.values())
            store.put_stamps(self._stamps)
            store.put_state("fold", self.fold.dump())
            store.put_state("unwatched", msgspec.msgpack.encode(sorted(unwatched)))
            store.put_state("made", msgspec.msgpack.encode(sorted(self._made)))

    # -- the project ---------------------------------------------------------------------------

    def _scanned(self, known: Mapping[str, tuple[str, str]]) -> Stamps:
        return {p: found for p, found in scan(self._root, known).items() if p not in self._made}

    def _settled(self) -> dict[str, str]:
        """The tree that the run was on.

        A file that tests wrote is no input of theirs. A Python file that changed meanwhile is as
        good as unknown, so that it counts as changed ever after.
        """
        after = scan(self._root, self._stamps)
        digests = dict(self.tree.digests)
        for path, (_, digest) in after.items():
            if digests.get(path) == digest:
                continue
            if kind_of(path) == "data" or path not in digests:
                self._made.add(path)
                digests.pop(path, None)
            elif path not in self._made:
                digests[path] = "?"
        self._stamps = {path: found for path, found in self._stamps.items() if path in digests}
        return digests

    def _settings(self) -> dict[str, bytes]:
        names = [path for path in self.tree.digests if kind_of(path) == "config"]
        return {name: (self._root / name).read_bytes() for name in names if "/" not in name}

    def _settings_key(self) -> str:
        return msgspec.json.encode([self.tree.environment, self.tree.settings]).decode()

    def _tree(self, digests: Mapping[str, str]) -> Tree:
        python = {path: digest for path, digest in digests.items() if path.endswith(".py")}
        wanted = set(python.values()) - self._sources.keys()
        self._sources.update(self._store.sources(wanted))
        for path, digest in python.items():
            if digest not in self._sources:
                self._sources[digest] = self._parsed(path, digest)
        sources = {path: self._sources[digest] for path, digest in python.items()}
        return Tree(digests=dict(digests), sources=sources, links=self._links)

    def _parsed(self, path: str, digest: str) -> Source:
        """A file of this digest; one that is not there any more is as good as broken."""
        try:
            source = read_source((self._root / path).read_bytes())
        except OSError:
            source = Source(digest, [], [], [], broken=True)
        return source if source.digest == digest else Source(digest, [], [], [], broken=True)

    def _tree_of(self, run: TestRun) -> Tree:
        tree = self._tree(run.tree)
        try:
            tree.environment, tree.settings = msgspec.json.decode(run.environment, type=list[str])
        except (msgspec.DecodeError, ValueError):
            tree.environment = "unknown"
        return tree

    def _change(self, tree: Tree) -> Change:
        return change_between(tree, self.tree)

    # -- what is known -------------------------------------------------------------------------

    def _tests(self) -> list[TestRecord]:
        return [one for node, one in self.records.items() if node]

    def _texts(self, name: str) -> list[str]:
        body = self._store.state(name)
        return [] if body is None else msgspec.msgpack.decode(body, type=list[str])

    def _folded(self) -> TestFold:
        body = self._store.state("fold")
        try:
            return TestFold() if body is None else TestFold.load(body)
        except BundleError:
            fold = TestFold()  # made with other features: the runs are still there
            for run in self._store.runs():
                fold.learn(run)
            return fold

    def _p_fail(self, found: Sequence[Touch]) -> list[float]:
        part = self._part
        if part is None or not part.beats_peer or not found:
            return by_counts((one.vector for one in found), self.fold.grounds)
        from onward.models.affected import calibrated

        p = part.run(vector_table(found))[:, 1].astype(float)
        return [float(one) for one in calibrated(p, part.facts)]


def as_candidates(ranked: Iterable[Ranked]) -> list[Candidate]:
    """What the choice of tests needs to know."""
    return [Candidate(one.node, one.tier, one.p_fail, one.seconds) for one in ranked]


def _own(node: str) -> str:
    """The block of a test's function, as its id tells.

    >>> _own("tests/test_a.py::TestA::test_b[1-2]")
    'tests/test_a.py::TestA.test_b'
    """
    path, _, rest = node.partition("[")[0].partition("::")
    return f"{path}::{rest.replace('::', '.')}" if rest else ""


def live_part(home: Path) -> Part | None:
    """The model of the live bundle in a state directory; None where there is none to be used.

    It reads ``affected.onnx`` and ``affected.json`` (facts, and ``beats_peer``) of the bundle that
    answers questions.
    """
    try:
        version = read_live(home / "bundles").predicts
        folder = home / "bundles" / version
        facts = msgspec.json.decode((folder / "affected.json").read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError):
        return None
    usable = (folder / "affected.onnx").is_file() and facts.get("features") == VERSION
    if not usable or not facts.get("beats_peer", True):
        return None
    from onward.serving.answers.base import Part  # brings numpy, which tests should not meet
    from onward.serving.onnx import session

    model = session(folder / "affected.onnx")
    return Part(version, facts, lambda X: model.run(["p"], {"X": X})[0])
