"""The colours of charts: Okabe and Ito's, which people with any colour vision can distinguish, and greys."""

from __future__ import annotations

BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, YELLOW = "#E69F00", "#56B4E9", "#F0E442"
INK, GREY, GRID, EDGE = "#1f2933", "#7b8794", "#eceff2", "#cbd2d9"
#: Of the marked verdicts.
VERDICTS = {"warming-up": "#dde2e8", "skipped": "#9fb3c8", "no-data": "#616e7c"}
#: Of variables that share a panel.
VARIABLES = (BLUE, ORANGE, GREEN, PURPLE, SKY, YELLOW)
#: Of the first, second and third contributor.
CONTRIBUTORS = ("#000000", "#525252", "#bdbdbd")
