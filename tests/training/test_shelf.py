"""Published versions: whole or absent, one of them live, and the way back."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onward.data.errors import BundleError, NotFound, StoreError, StoreFull
from onward.features.fold import NAMES, VERSION
from onward.models.bundle import Manifest, write_manifest
from onward.models.live import Live
from onward.training.shelf import Shelf


def one_file(folder: Path, features: str = VERSION) -> None:
    """Fill a bundle with the least that is sound."""
    facts = Manifest(
        version="v", created=0.0, features=features, names=NAMES, history="", last_seq=0
    )
    write_manifest(folder, facts)


def shelf_with(home: Path, *versions: str) -> Shelf:
    """A shelf that holds these versions, none of them live."""
    shelf = Shelf(home)
    for version in versions:
        shelf.put(version, one_file)
    return shelf


def whole(before: str, now: str) -> tuple[Live, Live]:
    """What a rollback gives where one version does everything."""
    return Live.whole(before), Live.whole(now)


def test_put_then_promote(tmp_path: Path) -> None:
    """A version answers only once it is promoted."""
    shelf = shelf_with(tmp_path, "v1")
    assert shelf.current() is None

    shelf.promote("v1", why="first")

    assert shelf.current() == "v1"
    assert (tmp_path / "bundles" / "current").read_text() == "v1\n"


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, StoreFull), (errno.EACCES, StoreError)]
)
def test_failed_put_leaves_nothing(tmp_path: Path, number: int, kind: type[Exception]) -> None:
    """A disk that fails midway leaves no half version behind, and says what it was."""

    def fill(folder: Path) -> None:
        one_file(folder)
        raise OSError(number, "no more")

    shelf = Shelf(tmp_path)
    with pytest.raises(kind):
        shelf.put("v1", fill)

    assert shelf.versions() == []
    assert list((tmp_path / "bundles").iterdir()) == []


def test_same_version_twice_is_refused(tmp_path: Path) -> None:
    """A version that is there is never overwritten."""
    shelf = shelf_with(tmp_path, "v1")

    with pytest.raises(StoreError):
        shelf.put("v1", one_file)


def test_promoting_what_is_not_there(tmp_path: Path) -> None:
    """An unknown version is not found, and what answered goes on answering."""
    shelf = shelf_with(tmp_path, "v1")
    shelf.promote("v1", why="")

    with pytest.raises(NotFound):
        shelf.promote("v9", why="")

    assert shelf.current() == "v1"


def test_rollback_twice_goes_two_back(tmp_path: Path) -> None:
    """Each rollback takes back one version more, and the first cannot be taken back."""
    shelf = shelf_with(tmp_path, "v1", "v2", "v3")
    for version in ("v1", "v2", "v3"):
        shelf.promote(version, why="")

    assert shelf.rollback(why="bad") == whole("v3", "v2")
    assert shelf.rollback(why="bad") == whole("v2", "v1")
    with pytest.raises(NotFound):
        shelf.rollback(why="bad")
    assert shelf.current() == "v1"


def test_torn_log_line_is_passed_over(tmp_path: Path) -> None:
    """A log that a crash cut short still tells what was live before, and takes new lines."""
    shelf = shelf_with(tmp_path, "v1", "v2", "v3")
    for version in ("v1", "v2"):
        shelf.promote(version, why="")
    with (tmp_path / "bundles" / "promotions.jsonl").open("ab") as log:
        log.write(b'{"version": "v')
    shelf.promote("v3", why="")

    assert shelf.rollback(why="bad") == whole("v3", "v2")
    assert shelf.rollback(why="bad") == whole("v2", "v1")


def test_prune_keeps_what_is_or_was_live(tmp_path: Path) -> None:
    """Old versions go, but neither the live one nor the one before it."""
    shelf = shelf_with(tmp_path, *(f"v{i}" for i in range(6)))
    shelf.promote("v0", why="")
    shelf.promote("v1", why="")

    assert shelf.prune(keep=2) == ["v2", "v3"]
    assert shelf.versions() == ["v0", "v1", "v4", "v5"]


MOVES = st.lists(st.sampled_from(["v1", "v2", "v3", "back"]), max_size=25)


@given(moves=MOVES)
@settings(max_examples=40, deadline=None)  # every move waits for the disk
def test_live_version_follows_a_stack(
    moves: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever the order, promoting pushes onto a stack and rolling back pops from it."""
    shelf = shelf_with(tmp_path_factory.mktemp("home"), "v1", "v2", "v3")
    stack: list[str] = []
    for move in moves:
        if move != "back":
            shelf.promote(move, why="")
            if stack[-1:] != [move]:
                stack.append(move)
        elif len(stack) > 1:
            assert shelf.rollback(why="") == whole(stack[-1], stack[-2])
            stack.pop()
        else:
            with pytest.raises(NotFound):
                shelf.rollback(why="")

    assert shelf.current() == (stack[-1] if stack else None)


def test_spoilt_names_and_lines_are_passed_over(tmp_path: Path) -> None:
    """What is no name and no promotion counts for nothing; the rest still does."""
    shelf = shelf_with(tmp_path, "v1", "v2")
    shelf.promote("v1", why="")
    shelf.promote("v2", why="")
    (shelf.folder / "current").write_bytes(b"\xff\xfe")
    with (shelf.folder / "promotions.jsonl").open("ab") as log:
        log.write(b'garbage\n{"x"}\n\xff}\n[]\n')

    assert shelf.current() is None
    assert shelf.rollback(why="bad") == whole("v2", "v1")
    assert shelf.current() == "v1"


def test_what_cannot_answer_is_not_promoted(tmp_path: Path) -> None:
    """A version of other features, or a damaged one, never takes the place of a sound one."""
    shelf = shelf_with(tmp_path, "v1", "v2", "v3")
    shelf.promote("v1", why="")
    one_file(shelf.path("v2"), features="old")
    (shelf.path("v3") / "manifest.json").write_text("{")

    for version in ("v2", "v3"):
        with pytest.raises(BundleError, match=version):
            shelf.promote(version, why="")

    assert shelf.current() == "v1"


def test_rollback_passes_over_what_cannot_answer(tmp_path: Path) -> None:
    """The way back leads to the newest version that can answer, and from there further back."""
    shelf = shelf_with(tmp_path, "v0", "v1", "v2", "v3")
    for version in ("v0", "v1", "v2", "v3"):
        shelf.promote(version, why="")
    one_file(shelf.path("v2"), features="old")

    assert shelf.rollback(why="bad") == whole("v3", "v1")
    assert shelf.rollback(why="bad") == whole("v1", "v0")


def test_rollback_to_nothing_that_can_answer(tmp_path: Path) -> None:
    """With no earlier version that can answer, each is named with its fault; nothing changes."""
    shelf = shelf_with(tmp_path, "v1", "v2")
    shelf.promote("v1", why="")
    shelf.promote("v2", why="")
    one_file(shelf.path("v1"), features="old")

    with pytest.raises(BundleError, match=r"v1: .*other features"):
        shelf.rollback(why="bad")

    assert shelf.current() == "v2"


def test_retired_version_answers_no_more(tmp_path: Path) -> None:
    """After the live version is retired none answers, and one can be taken back to."""
    shelf = shelf_with(tmp_path, "v1")
    shelf.promote("v1", why="")

    shelf.retire(why="old")

    assert shelf.current() is None
    assert shelf.rollback(why="") == whole("", "v1")


def test_questions_are_answered_by_another_version(tmp_path: Path) -> None:
    """A version may answer questions while another, or none, decides; a rollback takes it back."""
    shelf = shelf_with(tmp_path, "v1", "v2", "v3")
    shelf.predict_with("v1", why="counts decide better")
    assert shelf.live() == Live("", "v1")
    assert shelf.current() is None

    shelf.promote("v2", why="better")
    shelf.predict_with("v3", why="fresh")
    assert shelf.live() == Live("v2", "v3")

    assert shelf.rollback(why="bad") == (Live("v2", "v3"), Live.whole("v2"))
    assert shelf.rollback(why="bad") == (Live.whole("v2"), Live("", "v1"))
    assert shelf.live() == Live("", "v1")
    assert shelf.prune(keep=1) == ["v2"]


def test_what_cannot_answer_answers_no_questions(tmp_path: Path) -> None:
    """A damaged version is not made to answer questions, nor gone back to for them."""
    shelf = shelf_with(tmp_path, "v1", "v2", "v3")
    shelf.promote("v1", why="")
    shelf.predict_with("v2", why="")
    shelf.promote("v3", why="")
    one_file(shelf.path("v2"), features="old")

    with pytest.raises(BundleError, match="v2"):
        shelf.predict_with("v2", why="")
    assert shelf.rollback(why="bad") == whole("v3", "v1")
