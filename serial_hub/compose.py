"""The application put together from its parts: database, runtime of the jobs, API."""

import logging
import sys
from datetime import timedelta

from starlette.applications import Starlette

from hub.settings import Settings
from hub.storage.database import Database, await_database
from hub.storage.migrations import is_current, migrate
from hub.sync.inbox_retention import Retention
from hub.sync.streams import SilencePolicy
from hub_api.app import Parts, create_app
from jobs import schedule
from jobs.egress import Egress
from jobs.runtime import Runtime
from jobs.services import JobServices
from serial_hub.secret_free_logs import hide_secrets

# How long a thread that waits for the interpreter lets another run. A command is a dozen short
# statements on the writer's thread, and has to get its turn again after each of them: with Python's
# own 5 ms a busy event loop makes it wait twenty times as long as it works.
SWITCH_SECONDS = 0.0005


def runtime_of(settings: Settings, database: Database) -> Runtime:
    """Make what the jobs of this process work with."""
    lease = timedelta(seconds=settings.lease_seconds)
    private = settings.webhooks_to_private_networks
    return Runtime.over(
        database,
        settings.vault(),
        egress=Egress(settings.private_host_names()),
        lease=lease,
        reconcile_every=timedelta(seconds=settings.reconcile_seconds),
        grace=timedelta(seconds=settings.reconcile_grace_seconds),
        webhooks_to_private_networks=private,
        silence=SilencePolicy(
            failures=settings.silence_failures,
            longest=timedelta(seconds=settings.silence_seconds),
        ),
        reconciliation_kept=timedelta(days=settings.reconciliation_days),
        retention=Retention(
            bodies=timedelta(hours=settings.inbox_body_hours),
            rows=timedelta(days=settings.inbox_days),
        ),
    )


def compose(settings: Settings, database: Database, *, works: bool) -> Starlette:
    """Put the application together; `works` has the jobs run beside it."""
    return application(settings, runtime_of(settings, database), works=works)


def application(settings: Settings, runtime: Runtime, *, works: bool) -> Starlette:
    """Put the application together around a runtime."""
    beside = (lambda: schedule.working(runtime, settings)) if works else runtime.open
    parts = Parts(
        database=runtime.database,
        services=JobServices(runtime),
        settings=settings,
        beside=beside,
        stopping=runtime.stopping,
    )
    return create_app(parts)


def prepare(settings: Settings, *, processes: int = 1) -> Database:
    """Open the database. The embedded one is brought up to date; a server's is left to people."""
    await_database(settings.database, settings.database_wait_seconds)
    if settings.database.startswith("sqlite:///"):
        settings.directory().mkdir(parents=True, exist_ok=True)
        migrate(settings.database)
    elif not is_current(settings.database):
        sys.exit("The tables are not those of this version: run serial-hub migrate first.")
    return settings.open_database(processes=processes)


def bring_up_to_date(settings: Settings) -> None:
    """Bring the tables to this version."""
    await_database(settings.database, settings.database_wait_seconds)
    migrate(settings.database)


def set_up(settings: Settings) -> None:
    """Set what holds for the whole process."""
    sys.setswitchinterval(SWITCH_SECONDS)
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    for chatty in ("httpx", "httpcore", "apscheduler", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    hide_secrets()
