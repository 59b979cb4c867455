"""The settings of a test run: its services start first, for the settings read where they are from the environment."""

import os

from tests.services import start_services

start_services()
# Processes that a test starts are the product as it runs, against the services above.
os.environ["DJANGO_SETTINGS_MODULE"] = "orqadmin.settings"

from orqadmin.settings import *  # noqa: E402, F403

# The real ones take half a second a sign-in.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
