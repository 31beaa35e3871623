"""Who may speak to the HTTP door.

A server on loopback is reachable by every web page that its user opens. Three checks keep
pages out: the ``Host`` must be a name of ours (else a page could rebind its own name to
127.0.0.1), an ``Origin`` must be our own, and a request that the browser itself calls
cross-site is refused. Where a token is set, it is asked for on top.
"""

from __future__ import annotations

import hmac
from typing import NamedTuple

from onward.serving.settings import LOOPBACK, Settings

__all__ = ["Guard", "Refusal"]


class Refusal(NamedTuple):
    """Why a request is not let in."""

    status: int
    code: str
    text: str


_NO_HOST = Refusal(400, "no_host", "Send a Host header that names this server.")
_FOREIGN_HOST = Refusal(
    403, "foreign_host", "The Host header names another server. ONWARD_ALLOWED_HOSTS adds names."
)
_CROSS_SITE = Refusal(403, "cross_site", "Web pages of other sites may not call this server.")
_NO_TOKEN = Refusal(401, "unauthorized", "Send the token as 'Authorization: Bearer ...'.")

OPEN_PATHS = frozenset({b"/health/live", b"/health/ready"})
"""Answered without a token, since orchestrators ask them; then they tell no more than a status."""


class Guard:
    """Decides whether a request is let in.

    Parameters
    ----------
    settings
        ``host``, ``allowed_hosts`` and ``token`` count here.
    """

    def __init__(self, settings: Settings) -> None:
        names = {*LOOPBACK, settings.host, *settings.allowed_hosts}
        self._names = frozenset(name.strip().lower() for name in names)
        self._known: set[bytes] = set()  # Host values that passed before: a look-up, no parsing
        self._bearer = f"Bearer {settings.token}".encode() if settings.token else b""

    def refuse(self, target: bytes, headers: dict[bytes, bytes]) -> Refusal | None:
        """Why this request is not let in, or None where it is."""
        host = headers.get(b"host")
        if host not in self._known:
            if not host:
                return _NO_HOST
            if not self._bearer and _name(host) not in self._names:
                return _FOREIGN_HOST
            if len(self._known) < 1024:
                self._known.add(host)
        by_browser = b"origin" in headers or b"sec-fetch-site" in headers
        if by_browser and not _same_site(host, headers):
            return _CROSS_SITE
        if target not in OPEN_PATHS and not self.trusts(headers):
            return _NO_TOKEN
        return None

    def trusts(self, headers: dict[bytes, bytes]) -> bool:
        """Whether the token came along, or none is asked for."""
        given = headers.get(b"authorization", b"")
        return not self._bearer or hmac.compare_digest(given, self._bearer)


def _name(host: bytes) -> str:
    """The name in a Host header, without its port.

    >>> _name(b"LocalHost:8787"), _name(b"[::1]:8787")
    ('localhost', '::1')
    """
    text = host.decode("latin-1").lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0]


def _same_site(host: bytes, headers: dict[bytes, bytes]) -> bool:
    site = headers.get(b"sec-fetch-site", b"same-origin")
    origin = headers.get(b"origin")
    ours = origin is None or origin.partition(b"://")[2].lower() == host.lower()
    return ours and site in {b"same-origin", b"none"}
