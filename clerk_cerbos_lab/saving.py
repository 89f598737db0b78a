"""What JupyterLab does before it writes a notebook: a stored output shows itself without its kernel.

A live view that is stored without its kernel reads "Error displaying widget: model not found". Each of the
kit's displays stores HTML beside it that comes to life by itself, so that the reference to the live view is
left out of the file. So is what remains of a progress bar (see progress.py). This is an extension of
Jupyter Server, enabled where this package is installed by
``etc/jupyter/jupyter_server_config.d/clerk-cerbos-lab.json``; other hooks stay as they are.
"""

from __future__ import annotations

from typing import Any, Final

WIDGET: Final = "application/vnd.jupyter.widget-view+json"
MARK: Final = "data-ccl"
BAR: Final = "clerk-cerbos-lab-progress"
"""What the metadata of an output that holds a progress bar, or held one, have as a key."""


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(app: Any) -> None:
    app.contents_manager.register_pre_save_hook(before_saving)


def before_saving(model: dict[str, Any], **_: Any) -> None:
    """Jupyter Server's hook: change the notebook that is about to be written."""
    if model.get("type") == "notebook" and isinstance(model.get("content"), dict):
        drop_live_views(model["content"])


def drop_live_views(notebook: Any) -> None:
    """Take out the live view of each output that has the kit's HTML beside it, and each progress bar."""
    for cell in notebook.get("cells", ()):
        if any(BAR in output.get("metadata", ()) for output in cell.get("outputs", ())):
            cell["outputs"] = _without_bars(cell["outputs"])
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if MARK in "".join(data.get("text/html", "")):
                data.pop(WIDGET, None)


def _without_bars(outputs: list[Any]) -> list[Any]:
    """The outputs of a cell as they would be if its work had been quick: text around a bar is one again."""
    kept: list[Any] = []
    for output in outputs:
        if BAR in output.get("metadata", ()):
            continue
        name = output.get("name") if output["output_type"] == "stream" else None
        if name and kept and kept[-1].get("name") == name:
            kept[-1]["text"] = "".join(kept[-1]["text"]) + "".join(output["text"])
        else:
            kept.append(output)
    return kept
