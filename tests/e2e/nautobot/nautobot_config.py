"""Settings of a Nautobot server for tests: its lifecycle app, no Redis, no telemetry."""

import os

from nautobot.core.settings import *  # noqa: F403 - the way Nautobot is configured

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "nautobot",
        "USER": "postgres",
        "HOST": "127.0.0.1",
        "PORT": os.environ["NAUTOBOT_DATABASE_PORT"],
    }
}
CACHES = {
    "default": {
        "BACKEND": "plain_cache.PlainCache",
        "LOCATION": os.path.join(os.environ["NAUTOBOT_ROOT"], "cache"),
    }
}
CELERY_BROKER_URL = "memory://"
CELERY_TASK_ALWAYS_EAGER = True
PLUGINS = ["nautobot_device_lifecycle_mgmt"]
INSTALLATION_METRICS_ENABLED = False
SECRET_KEY = "not-a-real-secret-key-but-one-of-fifty-characters-00"
ALLOWED_HOSTS = ["127.0.0.1"]


class _NoMigrations:
    """The tables are made at once, from the models: a minute instead of seven."""

    def __contains__(self, app: str) -> bool:
        return True

    def __getitem__(self, app: str) -> None:
        return None


MIGRATION_MODULES = _NoMigrations()
