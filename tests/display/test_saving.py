"""A saved notebook describes its kernel as its file did before, whatever JupyterLab changed."""

from __future__ import annotations

import copy
import sys
from typing import TYPE_CHECKING, Any

import pytest
from jupyter_client.kernelspec import KernelSpecManager

from clerk_cerbos_lab.display.jupyter_server import before_saving, complete_kernel, kernel_metadata

if TYPE_CHECKING:
    from collections.abc import Mapping

OURS = kernel_metadata(KernelSpecManager(), "python3")
SPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}


def says(name: str) -> Mapping[str, dict[str, Any]] | None:
    return OURS if name == "python3" else None


def written(metadata: dict[str, Any]) -> dict[str, Any]:
    """The metadata in the file after a notebook with this metadata is saved."""
    model = {"type": "notebook", "content": {"cells": [], "metadata": copy.deepcopy(metadata)}}
    before_saving(model)
    found: dict[str, Any] = model["content"]["metadata"]  # type: ignore[index]
    return found


def test_it_is_known_what_the_kernel_here_says() -> None:
    assert OURS is not None
    assert OURS["language_info"]["version"] == sys.version.split()[0]
    assert kernel_metadata(KernelSpecManager(), "nobody-has-this-kernel") is None


def test_a_kernel_with_another_python_or_elsewhere_is_not_described() -> None:
    spec = KernelSpecManager().get_kernel_spec("python3")

    class Other:
        def __init__(self, *argv: str) -> None:
            self.argv = list(argv)

        def get_kernel_spec(self, name: str) -> object:
            return type(spec)(argv=self.argv, display_name=name, language="python")

    class Remote:
        async def get_kernel_spec(self, name: str) -> object:
            return spec

    assert kernel_metadata(Other(sys.executable, "-m", "ipykernel_launcher"), "own") is not None
    assert kernel_metadata(Other("/usr/bin/env", "ipykernel_launcher"), "other") is None
    assert kernel_metadata(Other(sys.executable, "-m", "another_kernel"), "other") is None
    assert kernel_metadata(Remote(), "python3") is None


@pytest.mark.parametrize(
    "metadata",
    [
        {"kernelspec": SPEC, "language_info": {"name": "python"}},
        {"kernelspec": {"name": "python3"}, "language_info": {}},
        {"kernelspec": SPEC, "language_info": {"name": "python", "file_extension": ".py"}, "title": "x"},
    ],
)
def test_a_notebook_that_says_less_says_all_while_it_is_open(metadata: dict[str, Any]) -> None:
    opened = copy.deepcopy(metadata)
    complete_kernel(opened, says)
    assert OURS is not None
    assert {part: opened[part] for part in OURS} == OURS
    assert written(opened) == metadata
    opened["language_info"]["version"] = "3.99.0"  # its kernel was another Python after all
    assert written(opened) == metadata
    opened["kernelspec"] = {"name": "ir", "display_name": "R", "language": "R"}
    opened["language_info"] = {"name": "R"}
    assert written(opened) == {
        **metadata,
        "kernelspec": opened["kernelspec"],
        "language_info": opened["language_info"],
    }


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"kernelspec": SPEC},
        {"kernelspec": {**SPEC, "name": "ir"}, "language_info": {"name": "R"}},
        {"kernelspec": SPEC, "language_info": {"name": "python", "version": "3.7.1"}},
        {"kernelspec": {**SPEC, "own": 1}, "language_info": {"name": "python"}},
        dict(OURS or {}),
    ],
)
def test_a_notebook_that_says_something_else_is_left_alone(metadata: dict[str, Any]) -> None:
    opened = copy.deepcopy(metadata)
    complete_kernel(opened, says)
    assert opened == metadata
    assert written(opened) == metadata
