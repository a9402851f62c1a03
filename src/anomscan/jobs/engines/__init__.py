"""Who does the work: one small interface, threads of this process and the workers of a cluster behind it."""

from anomscan.jobs.engines.base import Engine, Lost
from anomscan.jobs.engines.threads import Threads

__all__ = ["Engine", "Lost", "Threads"]
