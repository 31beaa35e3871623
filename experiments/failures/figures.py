"""Figures by set, method and metric."""

from __future__ import annotations

from onward.training.metrics import Interval

__all__ = ["Figure", "Figures", "value_of"]

Figure = Interval | float
Figures = dict[str, dict[str, dict[str, Figure]]]
"""Set -> method -> metric -> figure."""


def value_of(figure: Figure) -> float:
    """The figure without its interval."""
    return figure.value if isinstance(figure, Interval) else figure
