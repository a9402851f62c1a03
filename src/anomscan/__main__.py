"""``python -m anomscan``."""

from anomscan.cli.app import main

if __name__ == "__main__":
    main()
