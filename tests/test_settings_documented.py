"""docs/settings.md names every environment variable the product reads, and none that it does not."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
SETTINGS = REPOSITORY / "orqadmin" / "settings.py"
# An environment variable of ours stands in a cell of its own, at the start of a row.
ROW = re.compile(r"^\| `([A-Z_]+)` \| (.+?) \| (.+?) \|$", re.MULTILINE)
DOCUMENTED = {
    name: (default, meaning)
    for name, default, meaning in ROW.findall((REPOSITORY / "docs" / "settings.md").read_text())
}


def variables_read(source: Path) -> Iterator[str]:
    """Yield the names that ``source`` reads from the environment: by os.environ, or by the helpers of settings.py."""
    for node in ast.walk(ast.parse(source.read_text())):
        if not isinstance(node, ast.Call) or not node.args or not isinstance(node.args[0], ast.Constant):
            continue
        called = ast.unparse(node.func)
        if called in ("os.environ.get", "os.getenv", "_listed"):
            yield node.args[0].value


def test_every_variable_that_is_read_is_documented() -> None:
    assert set(variables_read(SETTINGS)) == set(DOCUMENTED)


def test_no_other_module_reads_variables_of_its_own() -> None:
    sources = [
        path
        for app in ("orqadmin", "router", "usage", "keys", "catalog", "teams", "providers", "simulator")
        for path in (REPOSITORY / app).rglob("*.py")
    ]

    read = {name for source in sources for name in variables_read(source)}

    assert len(sources) > 50
    assert read - {"DJANGO_SETTINGS_MODULE"} == set(DOCUMENTED)


@pytest.mark.parametrize("name", ["HOST", "PORT", "DRAIN_S", "ORQADMIN_SIMULATOR_PORT", "ORQADMIN_MAX_BODY_BYTES"])
def test_a_documented_default_is_the_one_that_is_used(name: str) -> None:
    [call] = [
        node
        for node in ast.walk(ast.parse(SETTINGS.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "os.environ.get"
        and ast.unparse(node.args[0]) == repr(name)
    ]

    default = eval(ast.unparse(call.args[1]))

    assert DOCUMENTED[name][0] == f"`{default}`"


def test_each_variable_says_what_it_does() -> None:
    for name, (default, meaning) in DOCUMENTED.items():
        assert default, name
        assert meaning.endswith((".", "**", "MiB.")), name
