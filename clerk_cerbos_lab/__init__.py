"""Who may approve what, up to which amount, and what happens if we move the limit.

>>> import clerk_cerbos_lab as lab
>>> principals = lab.load_principals("data/clerk_users.json")
>>> pdp = lab.PDP("policies")
>>> decisions = lab.sweep(pdp, principals, "expense", actions=["approve"],
...                       amount=lab.amounts(0, 60_000, step=50), status="OPEN")

A name is loaded when it is first used; ``__init__.pyi`` lists the public names. The methods of ``Decisions``
that show something are registered here, each with the function of ``display`` that draws it.
"""

# ruff: noqa: PLC0415, ANN202 - loaded when first used; decisions/views.py has the return types

import sys
from typing import Any

import lazy_loader

from clerk_cerbos_lab.decisions import views

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def _text():
    from clerk_cerbos_lab.display.plain_text import text_of

    return text_of


def _show():
    from clerk_cerbos_lab.display.matrix import Matrix

    return Matrix


def _long_table():
    from clerk_cerbos_lab.display.long_table import LongTable

    return LongTable


def _to_html():
    from clerk_cerbos_lab.display.page import write_page

    return write_page


def _discloses():
    from clerk_cerbos_lab.display.disclosed import discloses

    return discloses


def _why():
    from clerk_cerbos_lab.insights.why import why

    return why


def _why_at():
    from clerk_cerbos_lab.insights.of_a_cell import why_at

    return why_at


def _changes_at():
    from clerk_cerbos_lab.insights.of_a_cell import changes_at

    return changes_at


def _explain():
    from clerk_cerbos_lab.insights.explaining import explain_all

    return explain_all


def _causes():
    from clerk_cerbos_lab.insights.causes import causes

    return causes


def _explanation_text():
    from clerk_cerbos_lab.display.explanation_text import text_of

    return text_of


def _explanation_html():
    from clerk_cerbos_lab.display.explanation_html import html_of

    return html_of


def _asked_again():
    from clerk_cerbos_lab.sweeps.again import asked_again

    return asked_again


def _compared_again():
    from clerk_cerbos_lab.insights.compare import compared_again

    return compared_again


def _changes_show():
    from clerk_cerbos_lab.display.changes_matrix import ChangesMatrix

    return ChangesMatrix


def _changes_page():
    from clerk_cerbos_lab.display.changes_page import write_changes_page

    return write_changes_page


def _changes_text():
    from clerk_cerbos_lab.display.changes_text import text_of

    return text_of


def _changes_html():
    from clerk_cerbos_lab.display.changes_text import html_of

    return html_of


def _changes_markdown():
    from clerk_cerbos_lab.display.changes_text import markdown_of

    return markdown_of


def _changes_data():
    from clerk_cerbos_lab.display.changes_text import data_of

    return data_of


def _coverage_text():
    from clerk_cerbos_lab.display.coverage_text import text_of

    return text_of


def _coverage_html():
    from clerk_cerbos_lab.display.coverage_html import html_of

    return html_of


def _coverage_cobertura():
    from clerk_cerbos_lab.display.cobertura import write_cobertura

    return write_cobertura


def _counterfactuals():
    from clerk_cerbos_lab.insights.counterfactuals import counterfactuals

    return counterfactuals


def _counterfactuals_text():
    from clerk_cerbos_lab.display.counterfactual_text import text_of

    return text_of


def _counterfactuals_html():
    from clerk_cerbos_lab.display.counterfactual_html import html_of

    return html_of


def _gaps():
    from clerk_cerbos_lab.insights.gaps import gaps

    return gaps


def _to_tests():
    from clerk_cerbos_lab.insights.exported_tests import write_tests

    return write_tests


def _change_to_tests():
    from clerk_cerbos_lab.insights.exported_tests import write_change

    return write_change


def _replay_text():
    from clerk_cerbos_lab.display.replay_text import text_of

    return text_of


def _replay_html():
    from clerk_cerbos_lab.display.replay_text import html_of

    return html_of


def _log_replay_text():
    from clerk_cerbos_lab.display.log_replay_text import text_of

    return text_of


def _log_replay_html():
    from clerk_cerbos_lab.display.log_replay_text import html_of

    return html_of


def _parity_text():
    from clerk_cerbos_lab.display.parity_text import text_of

    return text_of


def _parity_html():
    from clerk_cerbos_lab.display.parity_text import html_of

    return html_of


def _replay_data():
    from clerk_cerbos_lab.display.replay_text import data_of

    return data_of


def _gap_text():
    from clerk_cerbos_lab.display.goal_text import gap_text

    return gap_text


def _goal_text():
    from clerk_cerbos_lab.display.goal_text import goal_text

    return goal_text


def _goal_value_text():
    from clerk_cerbos_lab.display.goal_text import text_of

    return text_of


def _goal_value_html():
    from clerk_cerbos_lab.display.goal_text import html_of

    return html_of


views.register(
    {
        "__repr__": _text,
        "show": _show,
        "long_table": _long_table,
        "to_html": _to_html,
        "discloses": _discloses,
        "why": _why,
        "why at": _why_at,
        "changes at": _changes_at,
        "causes": _causes,
        "explain": _explain,
        "asked again": _asked_again,
        "explanation text": _explanation_text,
        "explanation html": _explanation_html,
        "compared again": _compared_again,
        "changes show": _changes_show,
        "changes page": _changes_page,
        "changes text": _changes_text,
        "changes html": _changes_html,
        "changes markdown": _changes_markdown,
        "changes as data": _changes_data,
        "to_tests": _to_tests,
        "changes to tests": _change_to_tests,
        "log replay text": _log_replay_text,
        "log replay html": _log_replay_html,
        "parity text": _parity_text,
        "parity html": _parity_html,
        "replay text": _replay_text,
        "replay html": _replay_html,
        "replay as data": _replay_data,
        "coverage text": _coverage_text,
        "coverage html": _coverage_html,
        "coverage cobertura": _coverage_cobertura,
        "counterfactuals": _counterfactuals,
        "gaps": _gaps,
        "counterfactuals text": _counterfactuals_text,
        "counterfactuals html": _counterfactuals_html,
        "gap text": _gap_text,
        "goal text": _goal_text,
        "goal value text": _goal_value_text,
        "goal value html": _goal_value_html,
    }
)


def load_ipython_extension(ipython: Any) -> None:
    """Make ``%%policy`` known to IPython, by ``%load_ext`` or when this is imported in it."""
    from clerk_cerbos_lab.display.policy_magic import register

    register(ipython)


_shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
if _shell is not None:
    load_ipython_extension(_shell)
