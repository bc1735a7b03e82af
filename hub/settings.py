"""The settings of a hub: read once from the environment, then never changed.

Every variable starts with SERIAL_HUB_; README.md lists them all, and a test keeps it so.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

from hub.access.sessions import Lifetimes
from hub.access.vault import Vault, key_beside
from hub.storage.database import Database, open_database

PREFIX = "SERIAL_HUB_"
RESEAL = "reseal"  # a command of the shell that a second person may have to approve
PROCESSES_MAX = 4  # that are started without being asked for
LOOPBACK = ("localhost", "127.0.0.1", "::1")  # health checks come from the machine itself
AT_LEAST_ONE = (
    "silence_failures",
    "silence_seconds",
    "inbox_days",
    "reconciliation_days",
    "session_hours",
    "session_idle_minutes",
    "head_seconds",
    "body_seconds",
    "body_bytes_per_second",
    "answer_seconds",
    "connections_max",
    "connections_per_address",
)


class SettingMissing(RuntimeError):
    """A setting is needed here and was not given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What can be set from outside."""

    database: str = "sqlite:///serial-hub.db"
    """``sqlite:///path`` or ``postgresql://user@host/name``."""
    secret_key: str = field(default="", repr=False)
    """Seals channels' credentials and console sessions. Empty: made once beside the database."""
    host: str = "127.0.0.1"
    """The address to listen on."""
    port: int = 8000
    """The port to listen on."""
    processes: int = 0
    """How many processes serve the API on PostgreSQL. 0: one for each core, four at most."""
    public_url: str = ""
    """How others reach this hub; ``https://…`` makes the console's session cookie secure."""
    graphiql: bool = True
    """Whether GET /graphql shows GraphiQL to browsers."""
    body_bytes_max: int = 4 * 1024 * 1024
    """The largest request body that is read."""
    import_bytes_max: int = 512 * 1024 * 1024
    """The largest file of units that is taken over HTTP."""
    import_seconds_max: int = 6 * 3_600
    """How long a file that came over HTTP is read in; sent again, it goes on."""
    imports_at_once: int = 2
    """How many files that came over HTTP a process reads in at once; others wait."""
    head_seconds: int = 10
    """How long a client may take from its connection to the end of a request's head."""
    body_seconds: int = 20
    """How long a body may take, beside its time at `body_bytes_per_second`."""
    body_bytes_per_second: int = 1_024
    """How fast a body has to come on average, after `body_seconds`."""
    answer_seconds: int = 60
    """How long a client may stop reading its answer."""
    connections_max: int = 800
    """How many connections a process keeps; a new one then closes the oldest without a request."""
    connections_per_address: int = 100
    """How many connections, with WebSockets, one address may have in a process."""
    proxies: str = "127.0.0.1,::1"
    """Proxies in front, by address or network: they name the client, and have no limit."""
    session_hours: int = 12
    """How long a console session lives at most, however often it is used."""
    session_idle_minutes: int = 60
    """After how many minutes without a page a console session ends."""
    two_person: str = ""
    """Commands that a second person approves first, by commas: ``erasePerson,reseal``."""
    hosts: str = ""
    """Names by which this hub is asked, by commas; empty: that of `public_url`, or any."""
    private_hosts: str = ""
    """Hosts and networks that are not public, to which connectors may connect, also by http."""
    log_level: str = "info"
    """How much is logged: debug, info, warning, error."""
    reconcile_seconds: int = 900
    reconcile_grace_seconds: int = 60  # a younger order may still be on its way
    """How often every channel is compared with the ledger."""
    poll_seconds: int = 60
    """How often orders are pulled from channels; webhooks make it sooner."""

    silence_failures: int = 5
    """After how many failures in a row of a pull, over two minutes or more, a case is opened."""
    silence_seconds: int = 600
    """After how long without success a pull that fails opens a case, however few its attempts."""
    inbox_body_hours: int = 72
    """How long the body of an understood delivery of a channel is kept; it may name a person."""
    inbox_days: int = 180
    """How long it is known that a delivery arrived, so that it is not taken twice."""
    reconciliation_days: int = 90
    """How long it is kept which run of reconciliation found which difference."""
    webhooks_to_private_networks: bool = False
    """Whether webhooks may go to http and to addresses of private networks; for development."""
    drain_seconds: int = 20
    """How long a process that is told to stop finishes what it holds; the rest it gives back."""
    lease_seconds: int = 60
    """How long a worker that died keeps what it held from the others."""
    database_wait_seconds: int = 30
    """How long a start waits for PostgreSQL to answer."""

    def __post_init__(self) -> None:
        """Refuse what can not be, with ValueError."""
        if self.processes < 0:
            raise ValueError(f"{PREFIX}PROCESSES is 0 or more, not {self.processes}")
        for name in AT_LEAST_ONE:
            if getattr(self, name) < 1:
                raise ValueError(f"{PREFIX}{name.upper()} is 1 or more")
        try:
            for each in self.proxy_addresses():
                ip_network(each, strict=False)
        except ValueError as error:
            raise ValueError(f"{PREFIX}PROXIES names addresses and networks: {error}") from error
        if self.inbox_body_hours < 0:
            raise ValueError(f"{PREFIX}INBOX_BODY_HOURS is 0 or more")
        if self.processes > 1 and self.database.startswith("sqlite:///"):
            raise ValueError(f"{PREFIX}PROCESSES: one process serves a SQLite file")

    def proxy_addresses(self) -> tuple[str, ...]:
        """Return the addresses and networks of the proxies in front."""
        return _listed(self.proxies)

    def private_host_names(self) -> tuple[str, ...]:
        """Return the hosts and networks that are not public and that connectors may reach."""
        return _listed(self.private_hosts)

    def session_lifetimes(self) -> Lifetimes:
        """Return how long console sessions live, in all and without use."""
        return Lifetimes(
            timedelta(hours=self.session_hours), timedelta(minutes=self.session_idle_minutes)
        )

    def two_person_commands(self) -> tuple[str, ...]:
        """Return the commands that a second person approves of before they are done."""
        return _listed(self.two_person)

    def host_names(self) -> tuple[str, ...]:
        """Return the names by which this hub may be asked; empty where any may be used."""
        public = urlsplit(self.public_url).hostname
        named = _listed(self.hosts) or ((public,) if public else ())
        return (*named, *LOOPBACK) if named else ()

    def vault(self) -> Vault:
        """Open the vault with the key that was set, or with the one kept beside the database.

        Raises SettingMissing on PostgreSQL without a key: each node would make one of its own.
        """
        if not self.secret_key and not self.database.startswith("sqlite:///"):
            raise SettingMissing(f"set {PREFIX}SECRET_KEY: all nodes need the same one")
        return Vault(self.secret_key or key_beside(self.directory()))

    def processes_used(self) -> int:
        """Return how many processes serve the API: an interpreter uses one core.

        A SQLite file has one writer, which commits for all because all are in its process.
        """
        if self.database.startswith("sqlite:///"):
            return 1
        return self.processes or min(len(os.sched_getaffinity(0)), PROCESSES_MAX)

    def directory(self) -> Path:
        """Return where the hub keeps files of its own: beside the SQLite file, else here."""
        if self.database.startswith("sqlite:///"):
            return Path(self.database.removeprefix("sqlite:///")).parent
        return Path()

    def open_database(self, *, processes: int = 1) -> Database:
        """Open the database; `hub.storage.migrations.migrate` must have made its tables.

        `processes`: of this hub, which share out the connections that one would have.
        """
        return open_database(self.database, processes=processes)


def from_environment(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings; raises ValueError naming the variable that can not be read."""
    values: dict[str, str | int | bool] = {}
    for each in fields(Settings):
        name = PREFIX + each.name.upper()
        if name not in environment:
            continue
        text = environment[name]
        if each.type in {bool, "bool"}:
            values[each.name] = _switch(name, text)
        elif each.type in {int, "int"}:
            values[each.name] = _whole(name, text)
        else:
            values[each.name] = text
    return Settings(**values)  # type: ignore[arg-type] # each value was read by its field's type


def _listed(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(",") if each.strip())


def _switch(name: str, text: str) -> bool:
    if text.lower() not in {"0", "1", "true", "false", "yes", "no"}:
        raise ValueError(f"{name} is a switch: true or false, not {text!r}")
    return text.lower() in {"1", "true", "yes"}


def _whole(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise ValueError(f"{name} is a whole number, not {text!r}") from error
