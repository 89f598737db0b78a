"""Hooks on opening and saving in JupyterLab: a notebook that was only viewed stays unchanged.

An extension of Jupyter Server, enabled where this package is installed by
``etc/jupyter/jupyter_server_config.d/clerk-cerbos-lab.json``; other hooks keep working.

A stored live view without its kernel shows "Error displaying widget: model not found". Each of the
kit's displays also stores HTML that becomes interactive by itself, so the reference to the live view is
left out of the file. So are the remains of a progress bar (see progress.py).

As soon as a kernel has started, JupyterLab writes the kernel's description into the notebook, down to the
version of Python, and marks the notebook as unsaved. A notebook with a shorter matching description is opened
with the full description that its kernel will write, and saved with its own.
"""

from __future__ import annotations

import inspect
import os
import sys
from typing import TYPE_CHECKING, Any, Final

from clerk_cerbos_lab.progress import BAR

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

WIDGET: Final = "application/vnd.jupyter.widget-view+json"

MARK: Final = "data-ccl"

BEFORE: Final = "clerk_cerbos_lab"
"""Key in the metadata of an open notebook: the kernel description in its file."""

_SAYS: Final = ("kernelspec", "language_info")


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(app: Any) -> None:
    contents = app.contents_manager
    contents.register_pre_save_hook(before_saving)
    contents.get = _completing(contents.get, app.kernel_spec_manager)


# -- opening ------------------------------------------------------------------------------------


def _completing(get: Callable[..., Any], kernels: Any) -> Callable[..., Any]:
    """Wrap the contents manager's ``get`` to complete notebooks that a browser requests."""

    def complete(model: Any, asked: Mapping[str, Any]) -> Any:
        # only a browser's request has this argument; notebooks that the server signs or copies stay unchanged
        if "require_hash" in asked and model.get("type") == "notebook" and model.get("content"):
            complete_kernel(model["content"]["metadata"], lambda name: kernel_metadata(kernels, name))
        return model

    def completed(*place: Any, **asked: Any) -> Any:
        model = get(*place, **asked)
        if not inspect.isawaitable(model):
            return complete(model, asked)

        async def later() -> Any:
            return complete(await model, asked)

        return later()

    return completed


def kernel_metadata(kernels: Any, name: str) -> dict[str, Any] | None:
    """The description that JupyterLab will write into a notebook once a kernel runs, if known beforehand.

    Args:
        kernels: Jupyter's kernel spec manager.
        name: the name of the kernel.

    Returns:
        ``kernelspec`` and ``language_info`` for IPython under this Python; None for any other kernel.
    """
    try:
        from ipykernel.ipkernel import IPythonKernel  # noqa: PLC0415 - Jupyter's part is loaded where it runs
        from jupyter_client.kernelspec import KernelSpec, NoSuchKernel  # noqa: PLC0415
    except ImportError:
        return None
    try:
        spec = kernels.get_kernel_spec(name)
    except NoSuchKernel:
        return None
    if inspect.iscoroutine(spec):  # kernels on another machine, looked up over the network
        spec.close()
    if not isinstance(spec, KernelSpec) or "ipykernel_launcher" not in spec.argv:
        return None
    major, minor = sys.version_info[:2]
    own = {"python", f"python{major}", f"python{major}.{minor}"}  # Jupyter starts its own Python for these
    if spec.argv[0] not in own and os.path.realpath(spec.argv[0]) != os.path.realpath(sys.executable):
        return None
    return {
        "kernelspec": {"name": name, "display_name": spec.display_name, "language": spec.language},
        "language_info": dict(IPythonKernel.language_info),
    }


def complete_kernel(
    metadata: dict[str, Any], says: Callable[[str], Mapping[str, dict[str, Any]] | None]
) -> None:
    """Complete a notebook's metadata with its kernel's full description, and keep the original beside it.

    Metadata that says anything else, such as another version of Python, stays unchanged.

    Args:
        metadata: the notebook's metadata; changed in place.
        says: returns the description of a kernel by name, as ``kernel_metadata``.
    """
    before = {part: metadata.get(part) for part in _SAYS}
    if not all(isinstance(part, dict) for part in before.values()) or BEFORE in metadata:
        return
    spec, language = (dict(metadata[part]) for part in _SAYS)
    kernel = says(str(spec.get("name")))
    if kernel is None or kernel == before:
        return
    if set(spec) <= set(kernel["kernelspec"]) and _is_part(language, kernel["language_info"]):
        metadata.update({part: dict(kernel[part]) for part in _SAYS})
        metadata[BEFORE] = before


def _is_part(some: Mapping[str, Any], whole: Mapping[str, Any]) -> bool:
    return all(name in whole and whole[name] == value for name, value in some.items())


# -- saving -------------------------------------------------------------------------------------


def before_saving(model: dict[str, Any], **_: Any) -> None:
    """Jupyter Server's hook: change the notebook that is about to be saved."""
    if model.get("type") == "notebook" and isinstance(model.get("content"), dict):
        drop_live_views(model["content"])
        restore_kernel(model["content"].get("metadata", {}))


def restore_kernel(metadata: dict[str, Any]) -> None:
    """Undo ``complete_kernel``, unless the notebook's kernel was changed in the meantime."""
    before = metadata.pop(BEFORE, None)
    now = metadata.get("kernelspec", {}).get("name")
    if isinstance(before, dict) and now == before.get("kernelspec", {}).get("name"):
        metadata.update(before)


def drop_live_views(notebook: Any) -> None:
    """Remove the live view from each output that also has the kit's HTML, and each progress bar."""
    for cell in notebook.get("cells", ()):
        if any(BAR in output.get("metadata", ()) for output in cell.get("outputs", ())):
            cell["outputs"] = _without_bars(cell["outputs"])
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if MARK in "".join(data.get("text/html", "")):
                data.pop(WIDGET, None)


def _without_bars(outputs: list[Any]) -> list[Any]:
    """The outputs of a cell as if its work had been quick: the text around a bar is joined again."""
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
