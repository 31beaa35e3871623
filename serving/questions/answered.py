"""What every answer says of itself."""

from __future__ import annotations

import msgspec

__all__ = ["Answered"]


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all answers."""

    id: str = ""
    """`why` explains the answer by it, as long as it is among the newest."""
    model: str = ""
    """Version of the bundle that answered; empty = the trivial peer did."""
    note: str = ""
    """Why this answer is less than the full one; empty = it is the full one."""
