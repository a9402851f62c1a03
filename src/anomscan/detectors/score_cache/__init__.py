"""A cache of scores: a frozen model gives the same ones again."""

from anomscan.detectors.score_cache.cache import ScoreCache
from anomscan.detectors.score_cache.continued import continued
from anomscan.detectors.score_cache.detector import CachedDetector
from anomscan.detectors.score_cache.table import CachedScores, ScoreColumns

__all__ = ["CachedDetector", "CachedScores", "ScoreCache", "ScoreColumns", "continued"]
