"""The errors that Cerbos's compiler finds in a folder of policies, with file, line and column."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

from clerk_cerbos_lab.errors import PDPError, PolicyProblem
from clerk_cerbos_lab.policies.disk import _no_policy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path


def compile_problems(command: Sequence[str], folder: Path) -> list[PolicyProblem]:
    """The errors that ``cerbos compile`` reports; empty if the policies compile. Runs no tests.

    Args:
        command: the command line, ending in the folder as seen by that command.
        folder: the same folder on this machine, for source lines that Cerbos leaves out.

    Raises:
        PDPError: if the compiler itself could not run or returned no report.
    """
    done = _run(command)
    if done.returncode == 0:
        return []
    report = _report(done)
    problems = list(_problems(report, folder))
    return problems or [PolicyProblem("", 0, 0, done.stderr.strip() or "does not compile", "")]


def passed_tests(command: Sequence[str]) -> int:
    """How many tests of the suites in a folder pass.

    Args:
        command: the command line that runs them.

    Raises:
        PDPError: if the compiler could not run, returned no report, or could not read a suite.
    """
    report = _report(_run(command))
    for suite in report.get("suites") or ():
        if suite.get("error"):
            msg = f"Cerbos can't read the suite {suite.get('file')}: {suite['error']}"
            raise PDPError(msg)
    counts = (report.get("summary") or {}).get("resultCounts") or ()
    return sum(one["count"] for one in counts if one["result"] == "RESULT_PASSED")


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        plain = {name: value for name, value in os.environ.items() if name != "FORCE_COLOR"} | {
            "NO_COLOR": "1"
        }
        return subprocess.run(  # noqa: S603
            command,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env=plain,  # Jupyter kernels request colours, which are not valid JSON
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        msg = f"could not run the Cerbos compiler: {type(error).__name__}"
        raise PDPError(msg) from None


def _report(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    try:
        report: dict[str, Any] = json.loads(done.stdout)
    except json.JSONDecodeError:
        lines = (done.stderr or done.stdout).strip().splitlines()
        msg = f"the Cerbos compiler failed: {lines[-1] if lines else 'no output'}"
        raise PDPError(msg) from None
    return report


def _problems(report: Mapping[str, Any], folder: Path) -> Iterator[PolicyProblem]:
    sections = {**(report.get("lintErrors") or {}), **(report.get("compileErrors") or {})}
    for section, entries in sections.items():
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict):
                yield _problem(section, entry, folder)


def _problem(section: str, entry: Mapping[str, Any], folder: Path) -> PolicyProblem:
    details = {**(entry.get("error_details") or {}), **entry}
    position = details.get("position") or {}
    file = str(
        details.get("file")
        or details.get("importing_file")
        or details.get("missing_policy")
        or details.get("policy")
        or section
    )
    if "other_file" in details:
        message = f"{details.get('policy', 'this policy')} is also defined in {details['other_file']}"
    elif "missing_policy" in details:
        message = f"this policy is missing; needed by {', '.join(details.get('descendants') or ())}"
    else:
        message = str(
            details.get("description")
            or details.get("desc")
            or details.get("message")
            or details.get("error")
            or section.replace("_", " ")
        )
    if str(position.get("path", "")).count(".") == 1 and message.startswith("unknown field"):
        message += _no_policy(folder / file, str(position["path"]).removeprefix("$."))
    line, column = int(position.get("line", 0)), int(position.get("column", 0))
    context = str(details.get("context") or "") or _context(folder / file, line)
    return PolicyProblem(file, line, column, message, context)


def _context(path: Path, line: int, around: int = 3) -> str:
    """The surrounding lines, in the compiler's own format."""
    if not line or not path.is_file():
        return ""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    rows = []
    for number in range(max(1, line - around), min(len(lines), line + around) + 1):
        mark = ">" if number == line else " "
        rows.append(f"{mark} {number:>3} | {lines[number - 1]}")
    return "\n".join(rows)
