"""Where things stand in policy files: the line of each rule, role, variable, constant and expression."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines, counted from 1.

    Attributes:
        places: by file and path inside it, such as ``("resourcePolicy", "rules", 0, "condition")``.
        texts: by file and text, the first line at which a text stands as a value: an expression, say.
    """

    places: Mapping[tuple[str, tuple[str | int, ...]], int] = field(default_factory=dict)
    texts: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def of(self, file: str, *path: str | int) -> int | None:
        """The line of a place in a file: a rule, a role, a variable; None where it is not known."""
        return self.places.get((file, path))

    def of_text(self, file: str, text: str) -> int | None:
        """The line at which a value, such as an expression, first stands; None where it is not known."""
        return self.texts.get((file, text.strip()))


def lines_of(files: Mapping[str, str]) -> Lines:
    """Read the lines off policy files, YAML or JSON; a file that is neither has none."""
    import yaml  # noqa: PLC0415 - only where somebody is told of a line

    places: dict[tuple[str, tuple[str | int, ...]], int] = {}
    texts: dict[tuple[str, str], int] = {}
    for file, text in files.items():
        try:
            root = yaml.compose(text, Loader=yaml.CSafeLoader)
        except yaml.YAMLError:
            continue
        for path, node in _nodes(root, ()):
            line = node.start_mark.line + 1
            places[file, path] = line
            if isinstance(node, yaml.ScalarNode):
                block = node.style in {"|", ">"}  # the text of a block begins a line below its mark
                texts.setdefault((file, str(node.value).strip()), line + block)
    return Lines(places, texts)


def _nodes(node: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if node is None:
        return
    yield path, node
    if node.id == "mapping":
        for name, value in node.value:
            if name.id == "scalar":
                yield from _nodes(value, (*path, str(name.value)))
    elif node.id == "sequence":
        for place, value in enumerate(node.value):
            yield from _nodes(value, (*path, place))
