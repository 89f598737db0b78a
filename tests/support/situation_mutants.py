"""Deliberate errors about attributes that are only compared, to be caught by generated policies."""

import __future__

import inspect
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from clerk_cerbos_lab.decisions import cells, lines
from clerk_cerbos_lab.policies import analysis
from clerk_cerbos_lab.sweeps import audience, axis_points, classes, outcomes, own_numbers


@dataclass(frozen=True, slots=True)
class Mutant:
    """An error made by replacing parts of one function's source.

    Attributes:
        module: of the function.
        name: of the function, or ``Class.method``.
        parts: pairs of what is replaced, and by what.
    """

    module: Any
    name: str
    parts: Sequence[tuple[str, str]]

    def introduce(self, patch: pytest.MonkeyPatch) -> None:
        """Replace the function until the patch is undone."""
        owner, _, name = self.name.rpartition(".")
        holder = getattr(self.module, owner) if owner else self.module
        source = textwrap.dedent(inspect.getsource(getattr(holder, name)))
        for old, new in self.parts:
            assert old in source, (self.name, old)
            source = source.replace(old, new)
        made: dict[str, Any] = {}
        flags = __future__.annotations.compiler_flag
        code = compile(source, f"<{self.name}>", "exec", flags=flags, dont_inherit=True)
        exec(code, vars(self.module), made)
        patch.setattr(holder, name, made[name])


def _one(module: Any, name: str, *parts: str) -> Mutant:
    return Mutant(module, name, list(zip(parts[::2], parts[1::2], strict=True)))


MUTANTS: Mapping[str, Mutant] = {
    # the order of one's own numbers
    "a_breakpoint_and_the_gap_below_it_are_one": _one(own_numbers, "_signs", "left + right", "left"),
    "a_breakpoint_and_the_gap_above_it_are_one": _one(own_numbers, "_signs", "left + right", "right"),
    "an_empty_gap_below_a_breakpoint_is_like_others": _one(
        own_numbers, "_signs", "padded[right] == above[:, column],", ""
    ),
    "an_empty_gap_above_a_breakpoint_is_like_others": _one(
        own_numbers, "_signs", "neighbour(below, math.inf)[left] == numbers,", ""
    ),
    "the_farthest_double_is_like_others": _one(
        own_numbers, "_signs", "np.sign(numbers) * (np.abs(numbers) == FARTHEST),", ""
    ),
    "own_numbers_are_in_any_order": _one(own_numbers, "_signs", "*order.T, ", ""),
    "equal_own_numbers_are_like_others": _one(
        own_numbers, "_signs", ", *(following == ascending[:, :-1]).T", ""
    ),
    "an_empty_gap_between_own_numbers_is_like_others": _one(
        own_numbers,
        "_signs",
        "signs += list((following == neighbour(ascending[:, :-1], math.inf)).T)",
        "pass",
    ),
    "what_is_no_number_is_one_number_of_many": _one(
        classes, "_same_but", "kind if kind in merged else key(value)", "float"
    ),
    "a_boolean_is_a_number": _one(
        classes,
        "_same_but",
        "number, text = is_number(value)",
        "number, text = isinstance(value, (int, float))",
    ),
    "what_own_numbers_are_also_compared_with_is_forgotten": _one(
        audience, "Group._shared_with", "*(self._compared[name].shared for name in own)", ""
    ),
    "own_numbers_by_value_are_no_breakpoints": _one(
        audience,
        "Group._divide_by_value",
        "extend(self._own_values(number))",
        "extend(())",
    ),
    "own_numbers_are_also_compared_with_another_axis": _one(
        audience, "Group._own_attributes", "one.axes == {axis.name}", "axis.name in one.axes"
    ),
    # reading answers at somebody's own numbers
    "cells_are_read_at_the_numbers_of_the_representative": _one(
        cells,
        "OwnNumbers.breakpoints",
        "found[:, differing] = self.own[np.ix_(principals, self.columns[differing])]",
        "pass",
    ),
    "lines_are_read_at_the_numbers_of_the_representative": _one(
        lines, "LineBlock.breakpoints_of", "self.own is None", "True"
    ),
    "an_amount_at_a_breakpoint_is_in_the_gap_below": _one(
        cells, "OwnNumbers.codes_of", "breakpoints[:, None] <= values", "breakpoints[:, None] < values"
    ),
    "an_amount_at_a_breakpoint_is_counted_above": _one(
        cells, "OwnNumbers.counts", '("left", "right")', '("left", "left")'
    ),
    "people_of_one_class_have_equal_effects": _one(
        cells,
        "CompressedEffects.classes",
        "if isinstance(own, Points):",
        "if True:",
    ),
    # the place among what is the same for all
    "a_value_and_the_gap_below_it_are_one": _one(
        classes, "_same_place", "bisect_right(cuts.texts, text)", "bisect_left(cuts.texts, text)"
    ),
    "a_number_and_the_gap_below_it_are_one": _one(
        classes, "_same_place", "bisect_right(cuts.numbers, number)", "bisect_left(cuts.numbers, number)"
    ),
    "texts_and_numbers_are_one": _one(classes, "_same_place", '("text", ', '("number", '),
    "a_boolean_is_in_a_place": _one(
        classes,
        "_same_place",
        "is_number(value) and math.isfinite(value)",
        "isinstance(value, (int, float)) and math.isfinite(value)",
    ),
    "an_attribute_with_several_values_has_the_first": _one(
        audience,
        "Group._only_compared",
        "len(axis.values) > 1 or axis.name in grids",
        "axis.name in grids",
        "self._sent.values",
        "{name: values[:1] for name, values in self._sent.values.items()}",
    ),
    "one_amount_is_every_number": _one(
        audience, "Group._only_compared", "len(axis.values) > 1 or axis.name in grids", "len(axis.values) > 1"
    ),
    # what the policies read
    "any_use_is_a_comparison": _one(
        analysis, "_Reader._principal", "self._found.read_otherwise.add(name_of(steps))", "pass"
    ),
    "a_list_is_a_literal": _one(
        analysis, "_is_literal", "all(isinstance(part, Literal) for part in node.arguments)", "True"
    ),
    "a_conversion_is_no_use": _one(
        analysis, "_Reader._side", "if path and not converted and self", "if path and self"
    ),
    "what_is_around_an_attribute_is_not_read": _one(
        analysis,
        "Analysis.use_of",
        "otherwise = [*use.everywhere, *(use.present if inside else ())]",
        "otherwise = [*use.everywhere, *use.present] if inside else []",
    ),
    "what_is_inside_an_attribute_is_not_read": _one(
        analysis,
        "Analysis.use_of",
        "otherwise = [*use.everywhere, *(use.present if inside else ())]",
        "otherwise = [] if inside else use.everywhere",
    ),
    "a_map_without_a_key_is_like_none": _one(
        classes,
        "_present",
        "kinds.append(steps[-1] in around)",
        'kinds.append("a list" if steps[-1] not in around else True)',
    ),
    "maps_are_read_by_what_is_inside_only": _one(
        classes, "_read", "{name: people.column(name) for name in sorted(names - inside)}", "{}"
    ),
    # outcomes
    "an_error_is_false": _one(
        outcomes, "_outcome", '"error" if ERRORS.search(error)', "(bool, False) if ERRORS.search(error)"
    ),
    "outcomes_of_people_are_forgotten": _one(
        audience, "Group.__init__", "cuts=cuts, terms=terms", "cuts=cuts"
    ),
    "outcomes_of_an_axis_are_forgotten": _one(
        axis_points, "Scale._codes", "if self._outcomes is None:", "if True:"
    ),
    "a_term_reads_one_attribute": _one(
        outcomes, "_of_people", "for name in term.names if", "for name in term.names[:1] if"
    ),
}
"""For each error, how to introduce it."""
