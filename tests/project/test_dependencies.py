"""What the package imports is declared where it belongs: for everybody, or with the extra that needs it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "clerk_cerbos_lab"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))

# Modules that nothing but `clerk-cerbos-lab report` and `serve` load.
OF_THE_REPORT = {f"report/{name}.py" for name in ("build", "execution", "pages", "serving")}

DISTRIBUTIONS = packages_distributions()

# Programs that the extras bring, which no module imports.
PROGRAMS = {"ipywidgets", "jupyterlab", "distributed", "duckdb", "duckdb-sqlalchemy"}


def names(requirements: list[str]) -> set[str]:
    """Return the distributions that requirements name, in the form of the package index."""
    return {canonical(re.split(r"[^\w.-]", requirement, maxsplit=1)[0]) for requirement in requirements}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


BASE = names(PROJECT["dependencies"])
EXTRAS = {extra: names(some) for extra, some in PROJECT["optional-dependencies"].items()}


@cache
def imports(module: str, *, at_once: bool) -> set[str]:
    """Return the top-level names that a module imports as it is loaded, or later, inside functions."""
    tree = ast.parse((PACKAGE / module).read_text("utf-8"))
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    later = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for inner in ast.walk(node)
    }
    found = set()
    for node in set(ast.walk(tree)) - for_types:
        if (node in later) == at_once:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {PACKAGE.name}


def declared(name: str, requirements: set[str]) -> bool:
    """Whether an import is one of these distributions' own, not of one that they happen to need."""
    return bool({canonical(dist) for dist in DISTRIBUTIONS[name]} & requirements)


@pytest.mark.parametrize("module", MODULES)
def test_what_a_module_needs_to_be_loaded_is_declared_for_everybody(module: str) -> None:
    known = BASE | EXTRAS["notebooks"] if module in OF_THE_REPORT else BASE
    known = known | EXTRAS["serve"] if module == "report/serving.py" else known
    assert [name for name in sorted(imports(module, at_once=True)) if not declared(name, known)] == []


@pytest.mark.parametrize("module", MODULES)
def test_what_a_function_imports_is_declared_for_everybody_or_in_an_extra(module: str) -> None:
    known = BASE.union(*EXTRAS.values())
    assert [name for name in sorted(imports(module, at_once=False)) if not declared(name, known)] == []


def test_only_the_command_loads_the_report_and_only_when_it_is_called() -> None:
    code = "import sys, clerk_cerbos_lab as lab\n[getattr(lab, name) for name in lab.__all__]\n"
    code += "import clerk_cerbos_lab.cli.main, clerk_cerbos_lab.cli.doctor\n"
    loaded = [f"clerk_cerbos_lab.{module[:-3].replace('/', '.')}" for module in sorted(OF_THE_REPORT)]
    code += f"print([name for name in {loaded} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_nothing_is_declared_that_nobody_uses() -> None:
    used = {
        name for module in MODULES for at_once in (True, False) for name in imports(module, at_once=at_once)
    }
    owners = {canonical(dist) for name in used for dist in DISTRIBUTIONS[name]}
    assert BASE.union(*EXTRAS.values()) - owners == PROGRAMS


def test_without_its_extra_the_report_says_what_to_install() -> None:
    code = (
        "import sys\nsys.modules['nbclient'] = None\nsys.argv = ['clerk-cerbos-lab', 'report']\n"
        "from clerk_cerbos_lab.cli.main import main\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.strip() == (
        "error: the report runs notebooks and needs nbclient: pip install 'clerk-cerbos-lab[notebooks]'"
    )
