"""Models and results on disk: a folder each, with its state in one JSON file, replaced atomically."""

import fcntl
import json
import os
import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from anomscan_mvad import limits
from anomscan_mvad.errors import StartError
from anomscan_mvad.fetching import remove

State = dict[str, Any]
Reader = Callable[[str, bytes], State]


class Store:
    """The data folder, used by one server at a time.

    Parameters
    ----------
    folder : Path
        Created if missing; readable only by its owner.
    read_model, read_result : callable
        Called with a key and the bytes of its state; ValueError if the state is unusable.

    Raises
    ------
    StartError
        If it cannot be created or written to, or another server uses it.
    """

    def __init__(self, folder: Path, read_model: Reader, read_result: Reader) -> None:
        self.folder = folder.resolve()
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            for name in ("models", "results", "sources"):
                (self.folder / name).mkdir(exist_ok=True, mode=0o700)
            self._lock_file = (self.folder / "lock").open("w", encoding="utf-8")
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartError(f"{folder}: another anomscan-mvad uses this folder; choose another --data") from None
        except OSError as error:
            raise StartError(f"{folder}: {error.strerror}; choose another --data") from None
        self.models = Shelf(self.folder / "models", read_model)
        self.results = Shelf(self.folder / "results", read_result)
        self.left_out = self.models.left_out + self.results.left_out

    def close(self) -> None:
        """Release the folder."""
        self._lock_file.close()


class Shelf:
    """Folders with a state each, also held in memory.

    Parameters
    ----------
    folder : Path
    read : callable
        See `Store`. A folder whose state is unusable is left as it is and named in ``left_out``.
    """

    def __init__(self, folder: Path, read: Reader) -> None:
        self._folder = folder
        self._turn = threading.RLock()
        self._states: dict[str, State] = {}
        self.left_out: list[str] = []
        for path in folder.iterdir():
            try:
                self._states[path.name] = read(path.name, (path / "state.json").read_bytes())
            except FileNotFoundError:
                # Interrupted before its first state was written, or during deletion: no client knows of it.
                remove(path)
            except (OSError, ValueError, RecursionError) as error:
                reason = error.strerror if isinstance(error, OSError) else error
                self.left_out.append(f"{path} is left out, its state cannot be used: {reason}")

    def path(self, key: str) -> Path:
        """The folder of an existing key."""
        return self._folder / key

    def add(self, state: State) -> str:
        """Store a new state and return its key."""
        key = str(uuid.uuid4())
        self.path(key).mkdir(mode=0o700)
        with self._turn:
            self._write(key, state)
            self._states[key] = state
        return key

    def get(self, key: str) -> State | None:
        """Return a copy of a state."""
        with self._turn:
            state = self._states.get(key)
            return None if state is None else json.loads(json.dumps(state))

    def change(self, key: str, alter: Callable[[State], None]) -> bool:
        """Alter a state; False if it has been deleted."""
        with self._turn:
            state = self.get(key)
            if state is None:
                return False
            alter(state)
            self._write(key, state)
            self._states[key] = state
            return True

    def delete(self, key: str) -> bool:
        """Remove a state and its folder; False if there is none."""
        with self._turn:
            if self._states.pop(key, None) is None:
                return False
            # A folder without a state is removed at the next start, if the machine stops before the rest is gone.
            (self.path(key) / "state.json").unlink(missing_ok=True)
        remove(self.path(key))
        return True

    def items(self) -> list[tuple[str, State]]:
        """List all, oldest first, with copies of their states."""
        with self._turn:
            pairs = json.loads(json.dumps(list(self._states.items())))
        return sorted(((key, state) for key, state in pairs), key=lambda pair: float(pair[1]["created"]))

    def forget_old(self) -> None:
        """Delete what is older than the documented seven days."""
        oldest = (datetime.now(UTC) - timedelta(days=limits.RESULT_DAYS)).timestamp()
        for key, state in self.items():
            if state["created"] < oldest:
                self.delete(key)

    def _write(self, key: str, state: State) -> None:
        folder = self.path(key)
        temporary = folder / "state.new"
        with temporary.open("w", encoding="utf-8") as writer:
            json.dump(state, writer)
            writer.flush()
            os.fsync(writer.fileno())
        temporary.replace(folder / "state.json")
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
