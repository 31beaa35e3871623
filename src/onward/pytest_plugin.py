"""The pytest plugin: ``pytest --onward`` runs the likeliest failures first and records all runs.

Nothing happens without ``--onward``. With it every test still runs, in another order, unless
``--onward-affected``, ``--onward-budget`` or ``--onward-recall`` cuts; what was left out is said
at the end and stays owed until it ran.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from onward.data.testing.probe import Probe, Seen
    from onward.decisions.selection import Selection
    from onward.serving.answers.affected import Suite

__all__ = ["pytest_addoption", "pytest_load_initial_conftests"]

_NAME = "onward-recorder"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options."""
    group = parser.getgroup("onward", "likeliest failures first, by what changed")
    group.addoption(
        "--onward",
        action="store_true",
        help="run tests in the order of P(fail) and record what each rests on",
    )
    group.addoption(
        "--onward-affected",
        action="store_true",
        help="leave out tests that the change does not touch (implies --onward)",
    )
    group.addoption(
        "--onward-budget",
        type=float,
        metavar="SECONDS",
        help="leave out what does not fit, the likeliest failures first (implies --onward)",
    )
    group.addoption(
        "--onward-recall",
        type=float,
        metavar="SHARE",
        help="stop when this share of the expected failures is chosen (implies --onward)",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Begin to watch before anything of the project is imported."""
    options = early_config.known_args_namespace
    cuts = options.onward_budget is not None or options.onward_recall is not None
    if options.onward or options.onward_affected or cuts:
        early_config.pluginmanager.register(Recorder(early_config), _NAME)


class Recorder:
    """Watches one session of pytest, orders its tests and keeps what they showed."""

    def __init__(self, config: pytest.Config) -> None:
        from onward.data.testing.probe import Probe
        from onward.data.testing.tree import is_foreign

        self._root = Path(os.path.realpath(config.rootpath))
        self._home = Path(os.environ.get("ONWARD_HOME") or self._root / ".onward")
        self._config = config
        self._probe: Probe = Probe(self._root, skip=is_foreign)
        self._began = time.time()
        self._suite: Suite | None = None
        self._selection: Selection | None = None
        self._fault = ""
        self._found: list[str] = []
        self._own: dict[str, str] = {}
        self._whole = True
        self._outside: Seen | None = None
        self._by_file: dict[str, set[str]] = {}
        self._fixtures: dict[int, tuple[Any, Seen]] = {}
        self._tests: dict[str, dict[str, Any]] = {}
        self._tables: dict[str, dict[str, Any]] = {}
        self._probe.install()

    @property
    def _worker(self) -> bool:
        """Whether this is one of several processes that a controller feeds."""
        return hasattr(self._config, "workerinput")

    # -- collecting ------------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """What runs while a file of tests is imported belongs to that file."""
        self._add_outside(self._probe.take())
        report = yield
        seen = self._probe.take()
        path = self._probe.below(str(collector.path))
        if not path.endswith(".py"):
            self._add_outside(seen)
        else:
            self._probe.ran_at_import.setdefault(path, set()).update(seen.blocks)
            reads = {one for one in seen.reads if not one.endswith(".py")}
            self._by_file.setdefault(path, set()).update(reads)
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Put the likeliest failures first, and leave out what was asked to be left out."""
        self._add_outside(self._probe.take())
        self._whole = not any("::" in str(one) for one in config.args)
        self._found = [item.nodeid for item in items]
        self._own = {item.nodeid: self._block_of(item) for item in items}
        try:
            self._order(config, items)
        except Exception as error:  # ours: it must not keep the user's tests from running
            self._fail(error)
        self._probe.take()

    def _order(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        from onward.decisions.selection import select
        from onward.serving.answers.affected import as_candidates, live_part

        suite = self._opened()
        suite.use(live_part(self._home))
        ranked = suite.rank(self._found, self._own)
        self._selection = select(
            as_candidates(ranked),
            affected=config.option.onward_affected,
            budget_s=config.option.onward_budget,
            recall=config.option.onward_recall,
        )
        by_node = {item.nodeid: item for item in items}
        if len(by_node) < len(items):
            return  # two tests of one name cannot be told apart
        left = [by_node[node] for node in self._selection.skipped]
        items[:] = [by_node[node] for node in self._selection.run]
        if left:
            config.hook.pytest_deselected(items=left)

    def _opened(self) -> Suite:
        if self._suite is None:
            from onward.serving.answers.affected import Suite

            self._suite = Suite(self._root, self._home)
        return self._suite

    def _block_of(self, item: pytest.Item) -> str:
        """``path::block`` of a test's own function; empty where it has none at the top."""
        import inspect

        function = getattr(item, "function", None)
        code = getattr(inspect.unwrap(function), "__code__", None) if function else None
        if code is None or "<locals>" in code.co_qualname:
            return ""
        path = self._probe.below(code.co_filename)
        return f"{path}::{code.co_qualname}" if path else ""

    # -- running -----------------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any]
    ) -> Generator[None, object, object]:
        """What sets up a fixture that several tests share belongs to all of them."""
        if fixturedef.scope == "function":
            return (yield)
        outer = self._probe.take()
        try:
            return (yield)
        finally:
            seen = self._probe.take()
            self._fixtures[id(fixturedef)] = fixturedef, seen
            self._probe.put(outer)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """What runs from here to the end of its tear-down belongs to the test."""
        self._add_outside(self._probe.take())
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Send what was seen along with the last report, also from a worker."""
        before = self._probe.take()
        report = yield
        self._probe.take()  # what showing a failure read
        self._probe.put(before)
        if report.when == "teardown":
            report.__dict__["onward"] = self._seen(item)  # which xdist sends along
        return report

    def _seen(self, item: pytest.Item) -> dict[str, Any]:
        seen, known = self._probe.take(), self._fixtures
        seen = seen.joined(known[id(one)][1] for one in self._used(item) if id(one) in known)
        path = self._probe.below(str(item.path))
        own = self._own.get(item.nodeid, "")
        if not own:
            seen.reads.add(path)  # nothing smaller than its file is known of it
        return {
            "blocks": seen.blocks,
            "reads": sorted(seen.reads | self._by_file.get(path, set())),
            "modules": sorted(seen.modules),
            "opaque": seen.opaque,
            "own": own,
        }

    @staticmethod
    def _used(item: pytest.Item) -> list[Any]:
        """The fixtures that a test used, also those that it asked for while it ran."""
        request = getattr(item, "_request", None)
        active = dict(getattr(request, "_fixture_defs", None) or {})
        info = getattr(item, "_fixtureinfo", None)
        named = getattr(info, "name2fixturedefs", {})
        return [*active.values(), *(one for many in named.values() for one in many)]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Gather how a test came out."""
        test = self._tests.setdefault(report.nodeid, {"failed": False, "skipped": False, "s": 0.0})
        test["failed"] |= report.failed
        test["skipped"] |= report.skipped and not hasattr(report, "wasxfail")
        test["s"] += report.duration
        seen = getattr(report, "onward", None)
        if seen is not None:
            test["seen"] = seen
            test["worker"] = getattr(getattr(report, "node", None), "workerinput", {}).get(
                "workerid", ""
            )

    # -- the end -----------------------------------------------------------------------------------

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """What a worker of xdist knows of its blocks."""
        sent = getattr(node, "workeroutput", {}).get("onward")
        if sent:
            self._tables[node.workerinput["workerid"]] = sent

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Keep what was shown."""
        self._add_outside(self._probe.take())
        table = self._table()
        self._probe.remove()
        if self._worker:
            session.config.workeroutput["onward"] = table  # type: ignore[attr-defined]
            return
        self._tables[""] = table
        try:
            if any("seen" in test for test in self._tests.values()):
                self._keep()
        except Exception as error:  # ours: the tests' own results stand
            self._fail(error)
        if self._suite is not None:
            self._suite.close()

    def _table(self) -> dict[str, Any]:
        """Everything but the tests, as plain data."""
        probe, outside = self._probe, self._outside
        return {
            "keys": probe.keys,
            "imports": {path: sorted(found) for path, found in probe.ran_at_import.items()},
            "unwatched": probe.unwatched(),
            "blocks": outside.blocks if outside else [],
            "reads": sorted(outside.reads) if outside else [],
            "found": self._found,
            "own": self._own,
            "whole": self._whole,
        }

    def _keep(self) -> None:
        from onward.data.testing.book import Book
        from onward.data.testing.runs import OUTSIDE, Result, TestRun
        from onward.features.affected.verdicts import verdicts_of

        suite, book = self._opened(), Book()
        for name, table in self._tables.items():
            book.add(name, table)
        records = [book.record(node, test) for node, test in self._tests.items() if "seen" in test]
        judged = [one for one in records if one.result is not Result.SKIPPED]
        before = suite.records
        touched = suite.touch([one.node for one in judged], book.own)
        run = TestRun(
            at=time.time(),
            project=self._root.name,
            verdicts=verdicts_of(judged, before, touched),
            total=len(book.found),
            seconds=time.time() - self._began,
        )
        suite.record(
            run,
            [*records, book.outside(before.get(OUTSIDE))],
            keys=book.keys,
            imports=book.imports,
            unwatched=book.unwatched,
            gone=book.gone(before, self._root),
        )

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say what was left out: it is owed."""
        if self._worker:
            return
        if self._fault:
            terminalreporter.write_line(f"onward: {self._fault}", yellow=True)
        chosen = self._selection
        if chosen is not None and chosen.skipped:
            terminalreporter.write_line(
                f"onward: left out {len(chosen.skipped)} of {len(self._found)} tests, "
                f"{chosen.owed} of them within reach of the change. They are owed: run "
                "`pytest --onward` before this counts as done.",
                yellow=True,
            )

    def _add_outside(self, seen: Seen) -> None:
        """Things that happen outside of all tests; pytest itself lists folders and reads code."""
        seen.reads = {one for one in seen.reads if not one.endswith((".py", "/"))}
        seen.reads -= _SETTINGS
        self._outside = seen if self._outside is None else self._outside.joined([seen])

    def _fail(self, error: Exception) -> None:
        text = getattr(error, "message", "") or f"{type(error).__name__}: {error}"
        self._fault = f"this run was not ordered or recorded: {text}"
        if os.environ.get("ONWARD_DEBUG"):
            import traceback

            traceback.print_exc()


_SETTINGS = frozenset({"pyproject.toml", "setup.cfg", "pytest.ini", "tox.ini"})
