"""What runs the work: one small interface to the threads of this process and the workers of a cluster."""

from anomscan.jobs.engines.base import Engine, Lost
from anomscan.jobs.engines.threads import Threads

__all__ = ["Engine", "Lost", "Threads"]
