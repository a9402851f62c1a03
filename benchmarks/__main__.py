"""All benchmarks, each a ratio of two things measured side by side in one run."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path


def main() -> None:
    here = Path(__file__).parent
    for script in sorted(here.glob("[a-z]*.py")):
        print(f"--- {script.stem} ---", flush=True)
        sys.argv = [str(script)]
        runpy.run_path(str(script), run_name="__main__")


if __name__ == "__main__":
    main()
