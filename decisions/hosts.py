"""Which machines the addresses in a command name: this one, another, or nobody knows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from onward.features.shell import has_hole
from onward.features.shell.programs import names

if TYPE_CHECKING:
    from onward.features.shell import Command

__all__ = ["hosts_of"]

_HOST = re.compile(
    r"^(?:[a-z][a-z0-9+.-]*://)?(?:[^@/\s]*@)?(\[[0-9a-f:.]+\]|[\w.⟨⟩…-]+)(?::[\w⟨⟩…]*)?(?:[/?#]|$)",
    re.IGNORECASE,
)
_LOOPBACK = re.compile(
    r"(?:localhost|[\w.-]+\.localhost|127(?:\.\d{1,3}){1,3}|\[?::1\]?|0\.0\.0\.0|"
    r"host\.docker\.internal)$",
    re.IGNORECASE,
)
# Options of curl, wget and their kin whose value is no address.
_VALUES = names(
    "-o -H -d -X -u -A -e -b -c -F -m -w -Q -E -K -D -r -y -Y -z -C -O -P -U -t -T -i --data "
    "--header --request --output --user --user-agent --data-raw --data-binary --data-urlencode "
    "--form --max-time --connect-timeout --write-out --resolve --cacert --cert --key --cookie "
    "--cookie-jar --retry --retry-delay --json --post-data --post-file --method --body-data "
    "--body-file --timeout --tries --referer --range --interface --ciphers --upload-file --config "
    "--dump-header --form-string --oauth2-bearer --limit-rate --unix-socket --retry-max-time"
)
_URL_OPTIONS = frozenset({"--url", "-x", "--proxy", "--connect-to"})


def hosts_of(command: Command) -> frozenset[str]:
    """Give ``loopback``, ``remote``, ``unknown``: each kind of machine that is addressed.

    >>> from onward.features.shell import parse
    >>> sorted(hosts_of(parse("curl -d @x http://localhost:80/ -o out.json").commands[0]))
    ['loopback']
    """
    found = set()
    skip = False
    for word in command.args:
        if skip:
            skip = False
        elif word[:1] == "-":
            skip = word in _VALUES
            if word.startswith("--url="):
                found.add(_kind(word[6:]))
        elif word not in _URL_OPTIONS:
            found.add(_kind(word))
    return frozenset(found - {""})


def _kind(word: str) -> str:
    match = _HOST.match(word)
    if match is None:
        return "unknown" if has_hole(word) else ""
    host = match[1]
    if _LOOPBACK.match(host):
        return "loopback"
    return "unknown" if has_hole(host) else "remote"
