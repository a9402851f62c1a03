"""The use cases: fetch, and a run over a fleet, cut into partitions, checkpointed, resumed, proved."""
