"""What must outlast a power cut."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["to_disk"]


def to_disk(path: Path) -> None:
    """Have a file, or the names in a folder, on disk before going on."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
