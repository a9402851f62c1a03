"""What medians say of values that are normally distributed, but for some."""

from __future__ import annotations

#: The median of the absolute deviations from the median, times this, is the standard deviation.
#: Hampel (1974), The influence curve and its role in robust estimation.
MAD_TO_STD = 1.482602218505602
