"""The file of test runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from onward.data.errors import NotFound, StoreError
from onward.data.testing.runs import Result, TestRecord, TestRun, Verdicts
from onward.data.testing.store import FILE, KEPT_RUNS, TestStore


@pytest.fixture
def store(tmp_path: Path) -> TestStore:
    """An empty file."""
    return TestStore(tmp_path / FILE)


def test_what_goes_in_comes_out(store: TestStore) -> None:
    """Runs and tests come back as they were kept."""
    run = TestRun(at=1.5, project="p", tree={"a.py": "1"}, verdicts=Verdicts(nodes=["t"]), total=1)
    with store.writing():
        number = store.add_run(run)
        blocks = store.number_blocks(["a.py::f", "a.py::g"])
        test = TestRecord(
            node="t", run=number, result=Result.FAILED, blocks=sorted(blocks), reads=["d"]
        )
        store.put_tests([test])

    assert store.tests() == {"t": test}
    last = store.last_run()
    assert last is not None
    assert (last.id, last.tree, last.verdicts.nodes) == (number, {"a.py": "1"}, ["t"])
    assert sorted(store.blocks().values()) == ["a.py::f", "a.py::g"]


def test_a_transaction_is_whole_or_nothing(store: TestStore) -> None:
    """What fails in the middle leaves nothing behind."""

    def breaks() -> None:
        with store.writing():
            store.add_run(TestRun())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        breaks()
    assert store.last_run() is None


def test_old_runs_are_forgotten_but_not_those_that_tests_rest_on(store: TestStore) -> None:
    """The file stays bounded on a long stream."""
    with store.writing():
        first = store.add_run(TestRun(project="first"))
        store.put_tests([TestRecord(node="t", run=first)])
        for _ in range(KEPT_RUNS + 20):
            store.add_run(TestRun())

    kept = [run.id for run in store.runs()]
    assert len(kept) <= KEPT_RUNS + 1
    assert first in kept


def test_a_damaged_or_missing_file_is_said(tmp_path: Path) -> None:
    """Nothing recorded, and a file that is no database, are typed errors that say what to do."""
    with pytest.raises(NotFound, match="pytest --onward"):
        TestStore(tmp_path / FILE, read_only=True)
    (tmp_path / FILE).write_bytes(b"no database at all, and long enough to be looked at" * 40)
    with pytest.raises(StoreError):
        TestStore(tmp_path / FILE)
