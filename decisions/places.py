"""Where a path lies and what it holds: in the tree, outside, a secret, somebody's settings.

Pure text work: no file is looked at, so the answer is the same on any machine, and a path that
cannot be resolved without looking is ``unknown``.
"""

from __future__ import annotations

import posixpath
import re
from fnmatch import fnmatchcase
from functools import lru_cache

__all__ = ["KINDS", "Places", "tags_of"]

KINDS = frozenset(
    {
        "tree",  # in the working directory or the project
        "whole",  # the tree itself, or everything in it; all of a temporary folder
        "root",  # the file system's root, a home, or a folder that holds the tree
        "system",  # /etc, /usr, /var ...
        "home",  # in a home, outside of the tree
        "temp",  # below a folder for temporary files
        "outside",  # anywhere else outside of the tree
        "unrooted",  # an absolute path, and nobody said where the tree is
        "unknown",  # depends on a variable or a substitution
        "unsure",  # ends in one: stays where it is said to lie unless that holds ".."
        "device",  # /dev/sda, but not /dev/null
        "network",  # /dev/tcp/host/port
        "null",  # /dev/null, /dev/stdout ...
        "secret",  # keys, tokens, passwords, .env
        "settings",  # of a coding agent: .claude/settings.json, .codex, .mcp.json
        "onward",  # onward's own state and rules
        "git",  # inside .git
    }
)
"""What a path can be; it is often two at once (``tree`` and ``secret``)."""

_NULL = re.compile(r"/dev/(?:null|zero|stdin|stdout|stderr|tty|fd/\d+|u?random)$")
_NETWORK = re.compile(r"/dev/(?:tcp|udp)/(?!(?:localhost|127\.|::1))")
_TEMP = re.compile(r"(?:/private)?(?:/tmp|/var/tmp|/var/folders|/dev/shm)(?=/|$)")
_SYSTEM = re.compile(
    r"(?:/private)?/(?:bin|boot|dev|etc|lib\w*|opt|proc|run|sbin|srv|sys|usr|var|System|Library"
    r"|Applications|Windows|Program Files|nix)(?=/|$)"
)
_HOME = re.compile(r"/(?:home/[^/]+|Users/[^/]+|root)(?=/|$)")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_HARMLESS_HOLE = re.compile(r"⟨(?:found|number|\$)⟩")
_HOLE = re.compile(r"⟨[^⟩]*⟩")
_TEMP_HOLE = re.compile(r"⟨(?:TMPDIR|TMP|TEMP|RUNNER_TEMP)⟩")
_MAX_PATH = 4_096  # PATH_MAX of Linux; nothing longer can be opened
_NOWHERE = "/⟪tree⟫"  # stands for a working directory that was not told

_SECRET = re.compile(
    r"""(?:^|/)(?:
        \.env(?!\.(?:example|sample|template|dist|defaults?)(?:$|\.))(?:\.[\w.-]+)?
      | \.?(?:id_(?:rsa|dsa|ecdsa|ed25519)(?:_\w+)?)
      | [._]netrc | \.pgpass | \.my\.cnf | \.npmrc | \.pypirc | \.git-credentials | \.htpasswd
      | \.vault-token | \.credentials(?:\.\w+)? | credentials(?:\.(?:json|csv|ya?ml|toml|ini))?
      | \.?secrets?(?:\.(?:json|ya?ml|toml|env|txt|ini)) | service-?account[\w.-]*\.json
      | client_secret[\w.-]*\.json | master\.key | g?shadow | \.docker/config\.json | environ
      | \.(?:ssh|aws|gnupg|azure|kube|password-store|config/(?:gcloud|gh|hub)) (?:/.*)?
      | Keychains(?:/.*)? | [^/]*\.(?:pem|p12|pfx|jks|keystore|kdbx|ppk|key)
    )$""",
    re.VERBOSE,
)
_SETTINGS = re.compile(
    r"""(?:^|/)(?:
        \.claude(?:/(?:settings[\w.-]*\.json|hooks(?:/.*)?|\.credentials\.json|[^/]*[*?[].*)?)?
      | \.claude\.json | \.codex(?:/.*)? | \.mcp\.json | claude_desktop_config\.json
      | managed-settings\.json | \.cursor/(?:mcp|hooks|cli)[\w.-]*\.json | \.gemini/settings\.json
      | \.aider\.conf\.ya?ml | \.config/(?:goose|opencode|claude)(?:/.*)? | \.windsurf(?:/.*)?
    )/?$""",
    re.VERBOSE,
)
_ONWARD = re.compile(r"(?:^|/)\.onward(?:/|$)")
_GIT = re.compile(r"(?:^|/)\.git(?:/|$)")
_HIDDEN = (
    (".env", "secret"),
    (".env.local", "secret"),
    (".ssh", "secret"),
    (".aws", "secret"),
    ("id_rsa", "secret"),
    ("id_ed25519", "secret"),
    (".netrc", "secret"),
    (".npmrc", "secret"),
    (".pypirc", "secret"),
    ("shadow", "secret"),
    ("credentials", "secret"),
    (".git", "git"),
    (".claude", "settings"),
    ("settings.json", "settings"),
    (".codex", "settings"),
    (".onward", "onward"),
)
_GLOB = re.compile(r"[*?\[]")
_PLAIN_GLOB = re.compile(r"[\w.*?\[\]!^-]+$")
_TESTS = ((_SECRET, "secret"), (_SETTINGS, "settings"), (_ONWARD, "onward"), (_GIT, "git"))


@lru_cache(maxsize=4_096)
def tags_of(path: str) -> frozenset[str]:
    """Give what the path's names tell of its content.

    >>> sorted(tags_of("config/.env")), sorted(tags_of(".env.example"))
    (['secret'], [])
    """
    tags = {tag for test, tag in _TESTS if test.search(path)}
    if _GLOB.search(path):
        tags |= _globbed(path)
    return frozenset(tags)


def _globbed(path: str) -> set[str]:
    """Give what a pattern such as ``.e?v`` may stand for; ``*`` alone stands for no dotfile."""
    tags = set()
    for part in path.split("/"):
        if not _GLOB.search(part) or part[0] == "*" or not _PLAIN_GLOB.match(part):
            continue
        tags |= {tag for name, tag in _HIDDEN if fnmatchcase(name, part)}
    return tags - ({"settings"} if ".claude" not in path else set())


class Places:
    """The places seen from one working directory.

    Parameters
    ----------
    cwd
        Working directory of the call; "" = not told: relative paths then count as in the tree,
        absolute ones as ``unrooted``.
    project
        The project's folder, if it is an absolute path; its files are in the tree too.
    states
        Absolute paths of the folder of onward's own state, which need not be named ``.onward``.
    """

    def __init__(self, cwd: str = "", project: str = "", states: tuple[str, ...] = ()) -> None:
        self._told = bool(cwd)
        self._cwd = _absolute(cwd) if cwd else _NOWHERE
        home = _HOME.match(self._cwd)
        self._home = home[0] if home else "/⟪home⟫"
        roots = [self._cwd]
        if project[:1] == "/" or _DRIVE.match(project):
            roots.append(_absolute(project))
        self._roots = tuple(root for root in roots if not _too_wide(root))
        self._states = tuple(map(_absolute, states))
        self._known: dict[tuple[str, str], frozenset[str]] = {}

    def kinds(self, path: str, base: str = "") -> frozenset[str]:
        """Give what a path is, seen from `base` below the working directory.

        >>> sorted(Places("/code/app").kinds("../other/.env"))
        ['outside', 'secret']
        """
        key = (path, base)
        kinds = self._known.get(key)
        if kinds is None:
            if len(self._known) > 512:
                self._known.clear()
            kinds = self._known[key] = self._kinds(path, base)
        return kinds

    def _kinds(self, path: str, base: str) -> frozenset[str]:
        if len(path) + len(base) > _MAX_PATH:
            return frozenset({"unknown"})
        if _NULL.match(path):
            return frozenset({"null"})
        full = self._join(path, base)
        kinds = set(tags_of(full.rstrip("/") if len(full) > 1 else full))
        clean = _HARMLESS_HOLE.sub("x", full)
        hole = _HOLE.search(clean)
        if hole is not None:
            return frozenset(kinds | self._holed(clean, hole.start()))
        full = posixpath.normpath(clean)
        if not self._told and not _under(full, _NOWHERE) and path[:1] not in ("/", "~"):
            return frozenset(kinds | {"unrooted"})
        return frozenset(kinds | self._located(full))

    def _join(self, path: str, base: str) -> str:
        here = _expanded(base, self._home)
        return posixpath.join(self._cwd, here, _expanded(path, self._home))

    def _holed(self, full: str, at: int) -> set[str]:
        if _TEMP_HOLE.search(full):
            return {"temp", "unsure"} if not _HOLE.search(_TEMP_HOLE.sub("", full)) else {"unknown"}
        head = full[:at]
        folder = head[: head.rfind("/") + 1]
        inner = folder.rstrip("/")
        if not inner or inner == self._cwd or ".." in full[at:]:
            return {"unknown"}
        return self._located(posixpath.normpath(inner)) | {"unsure"}

    def _located(self, full: str) -> set[str]:
        if any(_under(full, state) for state in self._states):
            return {"onward", "outside"}
        if any(_under(full, root) for root in self._roots):
            everything = any(_all_of(full, root) for root in self._roots)
            return {"tree", "whole"} if everything else {"tree"}
        if full.startswith("/dev/"):
            return _device(full)
        temp = _TEMP.match(full)
        if temp:
            return {"temp", "whole"} if _all_of(full, temp[0]) else {"temp"}
        return self._far(full)

    def _far(self, full: str) -> set[str]:
        above = any(_under(root, full) for root in self._roots) and full != "/"
        if full == "/" or _all_of(full, "") or above:
            return {"root", "outside"}
        if _SYSTEM.match(full):
            return {"system", "outside"}
        home = _HOME.match(full)
        if home or _under(full, self._home):
            whole = _all_of(full, home[0] if home else self._home)
            hidden = home is not None and full.startswith("/.", home.end())
            if whole or hidden or self._told or full.count("/") < 4:
                return {"home", "outside", *(("root",) if whole else ())}
        return {"outside"} if self._told or full.count("/") < 2 else {"unrooted"}


def _device(full: str) -> set[str]:
    if _TEMP.match(full):
        return {"temp"}
    return {"network"} if _NETWORK.match(full) else {"device"}


def _absolute(path: str) -> str:
    if _DRIVE.match(path):
        path = "/" + path.replace("\\", "/")
    return posixpath.normpath(path)


def _expanded(path: str, home: str) -> str:
    if path[:1] == "~":
        head, _, rest = path.partition("/")
        return posixpath.join(home if head == "~" else f"/home/{head[1:]}", rest)
    if _DRIVE.match(path):
        return "/" + path.replace("\\", "/")
    return path


def _under(path: str, root: str) -> bool:
    return path == root or path.startswith(root.rstrip("/") + "/")


def _all_of(path: str, root: str) -> bool:
    """Tell whether the path is a folder itself or a pattern for all that is in it."""
    return path == root or path in (f"{root}/*", f"{root}/.*", f"{root}/**", f"{root}/{{*,.*}}")


def _too_wide(root: str) -> bool:
    """Tell whether a folder is too much to count as somebody's tree."""
    home = _HOME.match(root)
    wide = root == "/" or (home is not None and home[0] == root) or _TEMP.fullmatch(root)
    return bool(wide or (_SYSTEM.match(root) and not _TEMP.match(root)))
