"""A private MariaDB server, or MySQL's where that is missing: own data folder, socket and port, gone when closed."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import pymysql

from processes import PATIENCE_S

INSTALL = "apt-get install -y --no-install-recommends mariadb-server"


class MariaDb:
    """A running server, as root or as an ordinary user; a context manager.

    Parameters
    ----------
    options
        More options of mariadbd, such as ``--ssl-cert=...``.

    Raises
    ------
    RuntimeError
        If neither is installed, saying how to install MariaDB, or it does not start, with the end of its log.
    """

    def __init__(self, options: Sequence[str] = ()) -> None:
        self._is_mysql = _found("mariadbd") is None and _found("mysqld") is not None
        server = _program("mysqld" if self._is_mysql else "mariadbd")
        # A socket's path has at most 107 bytes, so the folder is not one of pytest's.
        self.folder = Path(tempfile.mkdtemp(prefix="mariadb-", dir="/tmp"))
        self._process: subprocess.Popen[bytes] | None = None
        as_user = []
        if os.getuid() == 0:
            shutil.chown(self.folder, "mysql")
            as_user = ["--user=mysql"]
        try:
            self._make(server, as_user)
            # Newer servers offer TLS by themselves; here one has it only where that is asked for.
            tls = any(option.startswith("--ssl") for option in options)
            without = "--tls-version=" if self._is_mysql else "--skip-ssl"
            self._start(server, [*as_user, *([] if tls else [without]), *options])
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> MariaDb:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def socket(self) -> Path:
        """Where its administrator connects."""
        return self.folder / "s"

    @property
    def session_status(self) -> str:
        """The table of a session's status variables."""
        return ("performance_schema" if self._is_mysql else "information_schema") + ".session_status"

    def url(self, database: str = "fleet", *, user: str = "reader", host: str = "127.0.0.1") -> str:
        """A URL for a source; ``user`` may be ``user:password``."""
        return f"mysql+pymysql://{user}@{host}:{self.port}/{database}"

    def connect(self, database: str | None = None) -> pymysql.Connection[pymysql.cursors.Cursor]:
        """A connection of the administrator."""
        return pymysql.connect(
            user="root", unix_socket=str(self.socket), database=database, autocommit=True, local_infile=True
        )

    def run(self, *statements: str, database: str | None = None) -> list[tuple[object, ...]]:
        """Run statements as the administrator; the rows of the last."""
        with self.connect(database) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    def send(self, number: signal.Signals) -> None:
        """Send the server a signal: SIGSTOP makes it hang, SIGCONT goes on."""
        assert self._process is not None
        os.kill(self._process.pid, number)

    def close(self) -> None:
        """Stop the server and remove its folder."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _make(self, server: str, as_user: list[str]) -> None:
        if self._is_mysql:
            command = [server, "--no-defaults", "--initialize-insecure"]
        else:
            install = _program("mariadb-install-db")
            command = [install, "--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal"]
        folder = f"--datadir={self.folder / 'data'}"
        made = subprocess.run([*command, folder, *as_user], capture_output=True, text=True)
        if made.returncode:
            raise RuntimeError(f"{command[0]} failed: {made.stdout[-2000:]}{made.stderr[-2000:]}")

    def _start(self, server: str, options: list[str]) -> None:
        log = self.folder / "log"
        for _ in range(5):
            self.port = _free_port()
            with log.open("wb") as out:
                self._process = subprocess.Popen(
                    [
                        *(server, "--no-defaults", f"--datadir={self.folder / 'data'}", f"--socket={self.socket}"),
                        *(f"--port={self.port}", f"--bind-address={','.join(_addresses())}", "--skip-log-bin"),
                        "--skip-name-resolve",
                        # Where it is shared, a server that starts removes the temporary tables of the others.
                        f"--tmpdir={self.folder}",
                        *("--innodb-flush-log-at-trx-commit=0", "--local-infile=1"),
                        *(["--mysqlx=OFF"] if self._is_mysql else ["--innodb-log-file-size=16M"]),
                        *options,
                    ],
                    stdout=out,
                    stderr=subprocess.STDOUT,
                )
            deadline = time.monotonic() + PATIENCE_S
            while self._process.poll() is None and time.monotonic() < deadline:
                if self._answers():
                    return
                time.sleep(0.05)
            if "Address already in use" not in log.read_text(errors="replace"):
                break  # else another process took the port in between
        raise RuntimeError(f"{server} did not start: {log.read_text(errors='replace')[-2000:]}")

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.socket))
            except OSError:
                return False
        return True


def _found(name: str) -> str | None:
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))


def _program(name: str) -> str:
    found = _found(name)
    if found is None:
        raise RuntimeError(f"{name} is not installed; as root: {INSTALL}")
    return found


def _addresses() -> list[str]:
    """127.0.0.1, and ::1 where that is an address of localhost, too: connectorx tries only the first of a name."""
    found = {str(info[4][0]) for info in socket.getaddrinfo("localhost", None, type=socket.SOCK_STREAM)}
    if "::1" in found:
        try:
            with socket.socket(socket.AF_INET6) as probe:
                probe.bind(("::1", 0))
        except OSError:
            found.discard("::1")
    return sorted({"127.0.0.1"} | found & {"::1"})


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
