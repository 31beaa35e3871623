"""The bundles in the state directory, and which of them answers.

A bundle is written beside the others under a hidden name and renamed when it is whole and on
disk, so a reader sees all of it or nothing. ``current`` is a text file that names what is live
(`onward.models.live`); it is replaced in one go, and a running server sees it within its next
look. What was live before stands in ``promotions.jsonl``, which is how a bad version is taken
back::

    bundles/
      20261123T141500-3f2a9c/   one version
      current                   its name, where it is live
      promotions.jsonl          which version became live when, and why
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from onward.data.errors import BundleError, NotFound, OnwardError, StoreError, StoreFull
from onward.models.live import CURRENT, Live, read_live
from onward.training.disk import to_disk
from onward.training.locking import locked

__all__ = ["Promotion", "Shelf"]


class Promotion(msgspec.Struct, frozen=True, omit_defaults=True):
    """A change of the live version."""

    version: str
    """What decides from here on; empty: rules and counts do."""
    at: float
    """Unix seconds."""
    why: str
    back: bool = False
    """True: it takes the change before it back."""
    predicts: str = ""
    """What answers the questions beside decisions; empty: the same version."""

    @property
    def live(self) -> Live:
        """The versions that answer from here on."""
        return Live(self.version, self.predicts or self.version)


class Shelf:
    """All published versions under one state directory.

    Parameters
    ----------
    home
        The state directory; ``bundles/`` in it is made on first use.
    """

    def __init__(self, home: Path) -> None:
        self.folder = home / "bundles"

    def put(self, version: str, fill: Callable[[Path], None]) -> Path:
        """Add a version; *fill* writes its files into an empty folder.

        Nothing is left behind where *fill* or the disk fails.

        Raises
        ------
        StoreFull, StoreError
            The disk is full, or the folder cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / f".{version}.{os.getpid()}"
        with _disk_errors(self.folder):
            try:
                draft.mkdir()
                fill(draft)
                for file in draft.iterdir():
                    to_disk(file)
                to_disk(draft)
                draft.rename(self.folder / version)
                to_disk(self.folder)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
        return self.folder / version

    def path(self, version: str) -> Path:
        """Where a version lies; raises `NotFound`."""
        if version not in self.versions():
            known = ", ".join(self.versions()[-5:]) or "none yet"
            raise NotFound(
                f"There is no model version {version}. Newest: {known}.", version=version
            )
        return self.folder / version

    def versions(self) -> list[str]:
        """All versions, oldest first; their names begin with the time they were made."""
        if not self.folder.is_dir():
            return []
        return sorted(d.name for d in self.folder.iterdir() if d.is_dir() and d.name[0] != ".")

    def live(self) -> Live:
        """The versions that answer; none where none was ever promoted, or no name can be read."""
        return read_live(self.folder)

    def current(self) -> str | None:
        """The version that decides; None where rules and counts do."""
        return self.live().decides or None

    def fault(self, version: str) -> str:
        """Why a version cannot answer: it is gone, damaged or of other features; empty = it can."""
        from onward.models.bundle import check_bundle  # most who ask the shelf need no numpy

        try:
            check_bundle(self.path(version))
        except (BundleError, NotFound) as error:
            return error.message
        return ""

    def promote(self, version: str, *, why: str) -> None:
        """Let a version decide, and answer questions.

        Raises
        ------
        NotFound
            It does not exist.
        BundleError
            It cannot answer; what answered goes on answering.
        """
        self._check(version)
        with locked(self.folder):
            self._switch(Promotion(version, time.time(), why))

    def predict_with(self, version: str, *, why: str) -> None:
        """Let a version answer questions; what decides goes on deciding. Raises as `promote`."""
        self._check(version)
        with locked(self.folder):
            self._switch(Promotion(self.live().decides, time.time(), why, predicts=version))

    def _check(self, version: str) -> None:
        self.path(version)
        if fault := self.fault(version):
            raise BundleError(f"Version {version} cannot answer: {fault}", version=version)

    def rollback(self, *, why: str) -> tuple[Live, Live]:
        """Take the last change back; gives what was live, and what is again.

        That is the newest of what was live before and that can still answer. Doing it twice goes
        two such changes back.

        Raises
        ------
        NotFound
            Nothing was live before.
        BundleError
            None of those that were can answer; nothing was changed.
        """
        with locked(self.folder):
            live = self._lived()
            if len(live) < 2:
                raise NotFound("There is no earlier version to go back to.")
            now = self._newest_sound(live[:-1])
            back = Promotion(now.decides, time.time(), why, back=True, predicts=now.predicts)
            self._switch(back)
        return live[-1], now

    def retire(self, *, why: str) -> None:
        """Let no version answer: rules and counts do, until another one is promoted."""
        with locked(self.folder):
            self._switch(Promotion("", time.time(), why))

    def _newest_sound(self, earlier: list[Live]) -> Live:
        """The last of these that can answer."""
        faults: dict[str, str] = {}
        for live in reversed(earlier):
            named = sorted({version for version in live if version})
            faults |= {version: self.fault(version) for version in named if version not in faults}
            if named and not any(faults[version] for version in named):
                return live
        told = {version: fault for version, fault in faults.items() if fault}
        text = "; ".join(f"{version}: {fault}" for version, fault in told.items())
        raise BundleError(f"No earlier version can answer. {text}", versions=list(told))

    def promotions(self) -> list[Promotion]:
        """Every change of the live version, oldest first; a spoilt line is passed over."""
        try:
            lines = (self.folder / "promotions.jsonl").read_bytes().splitlines()
        except FileNotFoundError:
            return []
        return [change for change in map(_promotion, lines) if change is not None]

    def prune(self, *, keep: int) -> list[str]:
        """Delete the oldest versions beyond *keep*, but none that was live lately."""
        with locked(self.folder):
            safe = {version for live in (*self._lived()[-2:], self.live()) for version in live}
            gone = [version for version in self.versions()[:-keep] if version not in safe]
            for version in gone:
                shutil.rmtree(self.folder / version, ignore_errors=True)
        return gone

    def _lived(self) -> list[Live]:
        """What was live, one after the other, without what was taken back."""
        lived: list[Live] = []
        for change in self.promotions():
            if change.back:
                lived = lived[:-1]
                while change.live in lived and lived[-1] != change.live:
                    lived.pop()  # it could not answer, and was passed over
            if lived[-1:] != [change.live]:
                lived.append(change.live)
        return lived

    def _switch(self, change: Promotion) -> None:
        """Log the change, then point at the version; the pointer is what counts."""
        with _disk_errors(self.folder):
            with (self.folder / "promotions.jsonl").open("ab+") as log:
                log.write(_line_break(log) + msgspec.json.encode(change) + b"\n")
                log.flush()
                os.fsync(log.fileno())
            draft = self.folder / f".{CURRENT}.{os.getpid()}"
            draft.write_text(change.live.text, encoding="utf-8")
            to_disk(draft)
            draft.replace(self.folder / CURRENT)
            to_disk(self.folder)


def _promotion(line: bytes) -> Promotion | None:
    """What a line tells; None where a crash cut it short or something else wrote it."""
    try:
        return msgspec.json.decode(line, type=Promotion)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


@contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    """Turn what the disk says into errors of ours."""
    try:
        yield
    except OnwardError:
        raise
    except OSError as error:
        full = error.errno in {28, 122}  # ENOSPC, EDQUOT
        kind = StoreFull if full else StoreError
        raise kind(f"A model version cannot be written to {folder}: {error.strerror}.") from error


def _line_break(log: BinaryIO) -> bytes:
    """What must come first so that a line cut short by a crash spoils no other."""
    if not log.seek(0, os.SEEK_END):
        return b""
    log.seek(-1, os.SEEK_END)
    return b"" if log.read(1) == b"\n" else b"\n"
