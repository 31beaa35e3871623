"""The wiring: settings -> history -> model -> state -> service -> doors.

Reads top to bottom. Starting goes down this list and stopping goes up again: doors close
first, what runs is finished, what waits is stored, and only then the history closes.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import logging
import signal
import sys
import threading
import time
from types import FrameType

from onward.data.errors import OnwardError
from onward.data.store import History
from onward.serving.answers.catalogue import seats, sentence_model
from onward.serving.grpc import GrpcDoor
from onward.serving.http import HttpDoor
from onward.serving.ledger import Ledger
from onward.serving.metrics import Meter
from onward.serving.runtime import Runtime
from onward.serving.sampler import INTERVAL_S, Sampler
from onward.serving.service import Service
from onward.serving.settings import Settings
from onward.serving.snapshot import Snapshots

__all__ = ["Server", "main", "tune_process"]

log = logging.getLogger(__name__)

M_ARENA_MAX = -8
"""The number of this option in glibc's ``malloc.h``."""


class Server:
    """Everything that serves, in one process.

    Parameters
    ----------
    settings
        See `onward.serving.settings`.

    Raises
    ------
    StoreError, SettingsError
        The history or the rules cannot be used. A model that cannot be used is no error: rules
        and counts answer, and say so.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.meter = Meter()
        self.history = History.open(settings.history_url, busy_s=settings.busy_s)
        self.runtime = Runtime(settings.home_dir, error_rate=settings.error_rate)
        self.runtime.start()
        self.snapshots = Snapshots(
            settings.home_dir,
            self.history,
            lambda: seats(
                sentence_model(settings.home_dir) if settings.has("sentences") else None,
                wanted=settings.has,
                folder=settings.home_dir / "serving",
            ),
        )
        self.ledger = Ledger(
            self.history,
            lambda whole: self.snapshots.base(
                self.runtime.live, self.runtime.predicting, whole=whole
            ),
            commit_s=settings.commit_ms / 1000.0,
        )
        self.service = Service(
            settings,
            history=self.history,
            ledger=self.ledger,
            runtime=self.runtime,
            meter=self.meter,
        )
        self.http = HttpDoor(self.service, settings, self.meter)
        self.grpc = GrpcDoor(self.service, settings, self.meter)
        self.sampler = Sampler(
            lambda sample: self.service.submit([sample]),
            interval_s=settings.sample_s or INTERVAL_S,
            folder=settings.home_dir,
        )
        self._saved_seq = self.ledger.folded
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="onward-watch", daemon=True)

    def start(self) -> None:
        """Open the doors; raises `Unavailable` where a port is taken."""
        with contextlib.ExitStack() as undo:
            undo.callback(self._close)
            self.http.start()
            undo.callback(self.http.stop, 0.0)
            self.grpc.start()
            undo.pop_all()
        self._watcher.start()
        if self.settings.sample_s:
            self.sampler.start()
        settle_memory()

    def stop(self) -> None:
        """Accept nothing more, finish what runs, store what waits, save the state."""
        self._stopping.set()
        self.sampler.stop()
        drain_s = self.settings.drain_s
        http = threading.Thread(target=self.http.stop, args=(drain_s,))
        http.start()
        self.grpc.stop(drain_s)
        http.join()
        self._watcher.join()
        self.ledger.state.answers.catch_up()  # what waits is learned before it is saved
        self._save()
        self._close()

    def serve(self) -> None:
        """Start, wait for SIGTERM or SIGINT, stop."""
        asked = threading.Event()

        def ask(_number: int, _frame: FrameType | None) -> None:
            asked.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, ask)
        self.start()
        log.info("HTTP on %s:%d", self.settings.host, self.http.port)
        log.info("gRPC on %s:%d", self.settings.host, self.grpc.port)
        asked.wait()
        self.stop()

    def _watch(self) -> None:
        """Look after what changes outside: new models, events of others, the saved state."""
        while not self._stopping.is_set():
            try:
                exchanged = self.runtime.poll(self.ledger, self.snapshots)
                repaired = self.ledger.refresh()
                self._catch_up()
                fresh = self.ledger.folded - self._saved_seq
                if exchanged or repaired:
                    settle_memory()
                if exchanged or fresh >= self.settings.snapshot_events:
                    self._save()
            except OnwardError as error:
                log.warning("looking after the state failed: %s", error)
            except Exception:  # the watch goes on whatever one look met
                log.exception("looking after the state failed")
            self._stopping.wait(self.settings.watch_ms / 1000.0)

    def _catch_up(self) -> None:
        """Let the desks learn what waits, but look about again as often as is promised."""
        until = time.monotonic() + self.settings.watch_ms / 1000.0
        self.ledger.state.answers.catch_up(
            lambda: not self.ledger.loading and time.monotonic() < until
        )

    def _save(self) -> None:
        try:
            state = self.ledger.dump()
            if state is not None:
                self.snapshots.save(state)
                self._saved_seq = self.ledger.folded
        except OSError as error:  # only the next start will be slower
            log.warning("the state cannot be saved: %s", error)

    def _close(self) -> None:
        self.ledger.close()
        self.history.close()


def tune_process() -> None:
    """Set what is right for a process that serves; call it before a `Server` is made.

    Young garbage is collected less often: decisions leave no cycles. A thread that writes gives
    way to one that answers after a millisecond, not after five. And glibc keeps one heap instead
    of one for each thread, which spares a third of what the process holds.
    """
    gc.set_threshold(20_000, 50, 100)
    sys.setswitchinterval(0.001)
    with contextlib.suppress(OSError, AttributeError):  # another C library has no such option
        ctypes.CDLL("libc.so.6").mallopt(M_ARENA_MAX, 1)


def settle_memory() -> None:
    """Give back what loading a state took, and keep what stays out of later collections."""
    gc.collect()
    gc.freeze()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def main() -> None:
    """Serve with the settings of the environment until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    tune_process()
    try:
        Server(Settings.from_env()).serve()
    except OnwardError as error:
        sys.exit(error.message)


if __name__ == "__main__":
    main()
