"""Line numbers in policy files, of each rule, role, variable, constant and expression."""

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
        texts: by file and text, the first line on which the text (such as an expression) is a value.
    """

    places: Mapping[tuple[str, tuple[str | int, ...]], int] = field(default_factory=dict)
    texts: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def of(self, file: str, *path: str | int) -> int | None:
        """The line of a place in a file (a rule, a role, a variable); None if unknown."""
        return self.places.get((file, path))

    def of_text(self, file: str, text: str) -> int | None:
        """The line on which a value, such as an expression, first occurs; None if unknown."""
        return self.texts.get((file, text.strip()))


def lines_of(files: Mapping[str, str]) -> Lines:
    """Read line numbers from policy files; a file that is neither YAML nor JSON has none."""
    import yaml  # noqa: PLC0415 - needed only when a line is reported

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
                block = node.style in {"|", ">"}  # the text of a block begins one line below its marker
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
