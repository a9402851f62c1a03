"""The names of cohorts, which assets may not have."""

from __future__ import annotations

#: What the records of a cohort are called by, and so no asset may be.
PREFIX = "cohort:"
#: The cohort of all assets where nothing says who belongs together.
FLEET = "fleet"
