"""Run the notebooks and keep their outputs: `make notebooks`, after a change to what they show."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat

from clerk_cerbos_lab.report.execution import notebook_files, run_notebook


def main() -> None:
    """Run all notebooks, or those named on the command line."""
    root = Path(__file__).resolve().parent.parent
    for path in [Path(name).absolute() for name in sys.argv[1:]] or notebook_files(root / "notebooks"):
        notebook = run_notebook(path)
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)
        notebook.metadata = {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
        nbformat.write(notebook, path)
        print(f"ran {path.name}")


if __name__ == "__main__":
    main()
