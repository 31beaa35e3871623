"""What a `Sample` says: its keys, read as resources that are used up to a limit.

The keys of ``Sample.values``, all optional; bytes, counts and percent as named:

==================  ==============================================================================
of the host         ``mem_available_bytes`` ``mem_total_bytes`` ``cpu_percent`` (mean since the last
                    reading, 100 = all cores) ``load_1m`` ``disk_free_bytes`` ``disk_total_bytes``
                    ``inodes_free`` ``inodes_total`` ``files_open`` ``files_limit`` ``processes``
                    ``processes_limit``
of the cgroup       ``cgroup_mem_used_bytes`` (without reclaimable cache) ``cgroup_mem_limit_bytes``
                    ``cgroup_cpu_percent`` (100 = its quota) ``cgroup_processes``
                    ``cgroup_processes_limit``
refusals            ``mem_refused`` ``disk_refused`` ``inodes_refused`` ``files_refused``
                    ``processes_refused`` ``cgroup_mem_refused`` ``cgroup_processes_refused``: how
                    often the kernel refused more since the last reading
of a process tree   ``proc.PID.NAME.rss_bytes`` ``.cpu_percent`` (100 = one core) ``.files``
                    ``.files_limit`` ``.processes`` ``.written_bytes`` (since it began)
==================  ==============================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, nan
from typing import NamedTuple

__all__ = ["Reading", "readings", "tree_of", "trees"]


class Reading(NamedTuple):
    """How much of a resource is used."""

    used: float
    limit: float
    """Where it is exhausted; NaN = none is known."""
    refused: bool = False
    """The kernel refused more of it since the last reading."""


_LEFT = {
    "memory": ("mem_available_bytes", "mem_total_bytes", "mem_refused"),
    "disk": ("disk_free_bytes", "disk_total_bytes", "disk_refused"),
    "inodes": ("inodes_free", "inodes_total", "inodes_refused"),
}
"""Resource -> keys of what is left, of all there is, of refusals."""

_USED = {
    "files": ("files_open", "files_limit", "files_refused"),
    "processes": ("processes", "processes_limit", "processes_refused"),
    "cgroup_memory": ("cgroup_mem_used_bytes", "cgroup_mem_limit_bytes", "cgroup_mem_refused"),
    "cgroup_processes": ("cgroup_processes", "cgroup_processes_limit", "cgroup_processes_refused"),
}
"""Resource -> keys of what is used, of the limit, of refusals."""

_PERCENT = {"cpu": "cpu_percent", "cgroup_cpu": "cgroup_cpu_percent"}

_MOST = 1e18
"""Amounts beyond this are none."""


def readings(values: Mapping[str, float]) -> dict[str, Reading]:
    """Each resource that the values speak of; what is no finite number is left out.

    >>> readings({"disk_free_bytes": 30.0, "disk_total_bytes": 100.0})["disk"].used
    70.0
    """
    found = {}
    for name, (left, total, refused) in _LEFT.items():
        if left in values and total in values:
            used = values[total] - values[left]
            found[name] = Reading(used, values[total], values.get(refused, 0.0) > 0)
    for name, (used_key, limit, refused) in _USED.items():
        if used_key in values:
            known = values.get(limit, nan)
            found[name] = Reading(values[used_key], known, values.get(refused, 0.0) > 0)
    for name, key in _PERCENT.items():
        if key in values:
            found[name] = Reading(values[key], 100.0)
    for key, value in values.items():
        if key.endswith(".files_limit") and key.startswith("proc."):
            tree = key[len("proc.") : -len(".files_limit")]
            used = values.get(f"proc.{tree}.files", nan)
            found[f"files:{tree}"] = Reading(used, value)
    return {name: _sound(one) for name, one in found.items() if abs(one.used) < _MOST}


def _sound(one: Reading) -> Reading:
    """A limit that is none is not known."""
    return one if 0.0 < one.limit < _MOST else one._replace(limit=nan)


def trees(values: Mapping[str, float], what: str) -> dict[str, float]:
    """``PID.NAME`` -> reading, of every process tree that has one of this kind.

    >>> trees({"proc.7.make.rss_bytes": 5.0, "load_1m": 1.0}, "rss_bytes")
    {'7.make': 5.0}
    """
    end = f".{what}"
    return {
        key[5 : -len(end)]: value
        for key, value in values.items()
        if key.startswith("proc.") and key.endswith(end) and isfinite(value)
    }


def tree_of(key: str) -> tuple[int, str]:
    """Process number and name of ``PID.NAME``; 0 where the number is none.

    >>> tree_of("7.make")
    (7, 'make')
    """
    pid, _, name = key.partition(".")
    return (int(pid) if pid.isdecimal() else 0), name
