"""The first step of ``make run``: a virtual environment, or one line on what is missing."""

import subprocess
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
GLIBC = "#!/bin/sh\necho 'ldd (GNU libc) 2.36'\n"
MUSL = "#!/bin/sh\necho 'musl libc (x86_64)' >&2; exit 1\n"
OLD_PYTHON = "#!/bin/sh\nexit 1\n"
# Answers as Debian's Python does where the package python3-venv is missing.
PYTHON_WITHOUT_VENV = '#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\n'
WORKING_PYTHON = '#!/bin/sh\n[ "$1" != -m ] || echo "$@" > "$3.made"\n'


def make_venv(tmp_path: Path, **programs: str) -> subprocess.CompletedProcess[str]:
    """Run the step with these programs, and grep, as all that the machine has."""
    for name, text in {"ldd": GLIBC, "grep": '#!/bin/sh\nexec /bin/grep "$@"\n', **programs}.items():
        (tmp_path / name.replace("_", ".")).write_text(text)
        (tmp_path / name.replace("_", ".")).chmod(0o755)
    command = ["/bin/sh", REPO / ".ci" / "make-venv", tmp_path / "venv"]
    return subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True)


def test_first_python_that_can_makes_it(tmp_path):
    done = make_venv(tmp_path, python3_12=PYTHON_WITHOUT_VENV, python3_11=WORKING_PYTHON, python3=OLD_PYTHON)

    assert done.returncode == 0
    assert (tmp_path / "venv.made").read_text() == f"-m venv {tmp_path}/venv\n"


@pytest.mark.parametrize(
    ("programs", "line"),
    [
        ({}, "Python 3.11 or newer is missing: "),
        ({"python3": OLD_PYTHON}, "Python 3.11 or newer is missing: "),
        ({"python3": PYTHON_WITHOUT_VENV}, "python3 cannot make virtual environments: install its venv package "),
        ({"ldd": MUSL, "python3": WORKING_PYTHON}, "This system has musl, for which there is no PostgreSQL wheel: "),
    ],
)
def test_what_is_missing_is_one_line(tmp_path, programs, line):
    done = make_venv(tmp_path, **programs)

    assert done.returncode == 1
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1
