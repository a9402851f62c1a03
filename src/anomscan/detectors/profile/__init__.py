"""The unnormalised matrix profile: each stretch of a series against the most similar other one."""
