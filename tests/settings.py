"""The settings of a test run: its services start first, for the settings read where they are from the environment."""

import os

from tests.services import start_services

start_services()
# Processes that a test starts are the product as it runs, against the services above.
os.environ["DJANGO_SETTINGS_MODULE"] = "orqadmin.settings"

from orqadmin.settings import *  # noqa: E402, F403

# The real ones take half a second a sign-in.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# Pages name their static files, and get them, without a collectstatic before each run.
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # noqa: F405
SERVESTATIC_USE_FINDERS = True
