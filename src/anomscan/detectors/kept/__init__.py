"""Scores that were computed once are kept, for a frozen model gives the same ones again."""

from anomscan.detectors.kept.book import Book, Kept
from anomscan.detectors.kept.continued import continued
from anomscan.detectors.kept.detector import KeptDetector
from anomscan.detectors.kept.keeper import Keeper

__all__ = ["Book", "Keeper", "Kept", "KeptDetector", "continued"]
