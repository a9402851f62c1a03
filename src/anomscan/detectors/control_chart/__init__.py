"""Control charts: the deviation from peers or the own past, judged by four tests on one scale."""
