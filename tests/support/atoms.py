"""The rules by which Cerbos evaluates simple conditions, as the kit's argument assumes them.

An outcome is ``True``, ``False`` or ``ERROR``. Values are those that a request can hold; ``lab.MISSING``
stands for an attribute that is not sent.
"""

import math
from collections.abc import Sequence

from probe import ERROR

import clerk_cerbos_lab as lab


def is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def equal(left: object, right: object) -> bool:
    """Return whether two present values are equal: numbers as doubles, different types never."""
    if is_number(left) and is_number(right):
        return float(left) == float(right)  # type: ignore[arg-type]
    if type(left) is not type(right):
        return False
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[name], right[name]) for name in left)
    return left == right


def compared(operator: str, left: object, right: object, *, nan: object = False) -> object:
    """Return the outcome of ``==``, ``!=``, ``<``, ``<=``, ``>``, ``>=`` or ``in``.

    Args:
        operator: one of these.
        left: its left side.
        right: its right side.
        nan: the outcome if NaN is ordered, which depends on the version.
    """
    if operator == "in":
        return contained(left, right)
    if lab.MISSING in (left, right):
        return ERROR
    if operator in {"==", "!="}:
        return equal(left, right) == (operator == "==")
    if is_nan(left) or (is_nan(right) and (is_number(left) or isinstance(left, (str, bool)))):
        return nan
    if not (
        (is_number(left) and is_number(right))
        or (type(left) is type(right) and isinstance(left, (str, bool)))  # by code points; false before true
    ):
        return ERROR
    if is_number(left):
        left, right = float(left), float(right)  # type: ignore[arg-type]
    below, same = left < right, left == right  # type: ignore[operator]
    return {"<": below, "<=": below or same, ">": left > right, ">=": left > right or same}[operator]  # type: ignore[operator]


def contained(left: object, right: object) -> object:
    """Return the outcome of ``left in right``."""
    if left is lab.MISSING or not isinstance(right, (list, dict)):
        return ERROR
    if isinstance(right, list):
        return any(equal(left, item) for item in right)
    return isinstance(left, str) and left in right


def both(left: object, right: object) -> object:
    """Return the outcome of ``&&``: false decides, in either order."""
    if left is False or right is False:
        return False
    return True if left is True and right is True else ERROR


def either(left: object, right: object) -> object:
    """Return the outcome of ``||``: true decides, in either order."""
    if left is True or right is True:
        return True
    return False if left is False and right is False else ERROR


def negated(value: object) -> object:
    """Return the outcome of ``!``."""
    return not value if isinstance(value, bool) else ERROR


def chosen(condition: object, then: object, otherwise: object) -> object:
    """Return the outcome of ``? :``, which evaluates only one branch."""
    return (then if condition else otherwise) if isinstance(condition, bool) else ERROR


def present(value: object) -> object:
    """Return the outcome of ``has(R.attr.value)``: true for null."""
    return value is not lab.MISSING


def present_in(value: object, name: str) -> object:
    """Return the outcome of ``has(R.attr.value.name)``."""
    if value is lab.MISSING or isinstance(value, list):
        return ERROR
    return isinstance(value, dict) and name in value


def satisfied(form: str, parts: Sequence[object]) -> object:
    """Return whether a match block is satisfied: an error counts as not satisfied."""
    held = [part is True for part in parts]
    return {"all": all(held), "any": any(held), "none": not any(held)}[form]
