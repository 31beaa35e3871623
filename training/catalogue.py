"""Every learned system beside decisions, as training knows it."""

from __future__ import annotations

from onward.training.settings import TrainSettings
from onward.training.systems import System

__all__ = ["all_systems"]


def all_systems(settings: TrainSettings) -> list[System]:
    """The systems that a history is learned by; *settings* say where the sentence model lies."""
    return []
