"""``python -m anomscan_mvad``."""

import sys

from anomscan_mvad.cli import main

sys.exit(main())
