"""Django settings of a manufacturer's server for tests: EPCIS repository and verification."""

import os
from pathlib import Path

SECRET_KEY = "not-a-real-secret-key"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "urls"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
STATIC_URL = "/static/"
MEDIA_ROOT = os.environ["QUARTET_FOLDER"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(Path(os.environ["QUARTET_FOLDER"]) / "quartet.sqlite"),
    }
}
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "rest_framework",
    "quartet_capture",
    "quartet_epcis",
    "quartet_masterdata",
    "quartet_output",
    "quartet_templates",
    "quartet_vrs",
    "serialbox",
    "list_based_flavorpack",
    "random_flavorpack",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.BasicAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
}
VRS_ALLOW_ALL_REQ_GLNS = True
DEFAULT_VRS_RESPONDER_GLN = "3055551234562"
CELERY_TASK_ALWAYS_EAGER = True
