#!/usr/bin/env python
"""Run orqadmin's commands."""

import os
import sys

from django.core.management import execute_from_command_line

from orqadmin.processes import StartError

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orqadmin.settings")
    try:
        execute_from_command_line(sys.argv)
    except StartError as error:  # raised while the settings load: the data directory cannot be used
        sys.exit(str(error))
