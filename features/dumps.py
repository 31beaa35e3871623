"""What features are of which kind, and a fold's state on disk, which says so."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable
from typing import TypeVar

import msgspec

from onward.data.errors import BundleError

__all__ = ["packed", "unpacked", "version_of"]

_State = TypeVar("_State", bound=msgspec.Struct)


class _Version(msgspec.Struct):
    version: str


def version_of(meaning: int, names: Iterable[str]) -> str:
    """The version of some features: another one wherever a name or their meaning changed.

    Parameters
    ----------
    meaning
        Raised by hand when a number changes its meaning but not its name.
    names
        Those of the numbers, and of whatever else gives them their meaning.

    >>> version_of(1, ["a", "b"])
    'a325bf893794'
    """
    return hashlib.sha256(f"{meaning}:{','.join(names)}".encode()).hexdigest()[:12]


def packed(state: msgspec.Struct) -> bytes:
    """A state, which has a ``version``, as bytes."""
    return zlib.compress(msgspec.msgpack.encode(state), 1)


def unpacked(body: bytes, kind: type[_State], *, version: str, what: str) -> _State:
    """The state that `packed` gave.

    Parameters
    ----------
    body
        The bytes.
    kind
        Type of the state.
    version
        The one that it must be of; the rest of another one is not looked at.
    what
        What it is the state of, for the error's words.

    Raises
    ------
    BundleError
        It is damaged, or of another version.
    """
    try:
        plain = zlib.decompress(body)
        found = msgspec.msgpack.decode(plain, type=_Version).version
        if found == version:
            return msgspec.msgpack.decode(plain, type=kind)
    except (zlib.error, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BundleError(f"{what} cannot be read: {error}") from error
    raise BundleError(
        f"{what} was made with other features; train again.", found=found, wanted=version
    )
