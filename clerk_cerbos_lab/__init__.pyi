from .decisions.axes import Axis as Axis
from .decisions.changes import Changes as Changes
from .decisions.counterfactual import Counterfactuals as Counterfactuals
from .decisions.coverage import Coverage as Coverage
from .decisions.decisions import Decisions as Decisions
from .decisions.explanation import Explanation as Explanation
from .decisions.goal import GoalValue as GoalValue
from .decisions.log_replay import LogReplay as LogReplay
from .decisions.parity import Parity as Parity
from .decisions.provenance import Provenance as Provenance
from .decisions.replay import Replay as Replay
from .display.matrix import Matrix as Matrix
from .errors import ClerkError as ClerkError
from .errors import InputError as InputError
from .errors import KeyMissingError as KeyMissingError
from .errors import LabError as LabError
from .errors import LabWarning as LabWarning
from .errors import PDPError as PDPError
from .errors import PolicyError as PolicyError
from .errors import PolicyProblem as PolicyProblem
from .errors import ProviderError as ProviderError
from .errors import UsersError as UsersError
from .explorer.explorer import Explorer as Explorer
from .explorer.explorer import explore as explore
from .explorer.tune import Tune as Tune
from .explorer.tune import tune as tune
from .identity.claimed import claims_to_principal as claims_to_principal
from .identity.clerk.load import load_users as load_users
from .identity.clerk.users import User as User
from .identity.clerk.users import to_principals as to_principals
from .identity.load import load_principals as load_principals
from .identity.mapping import Mapping as Mapping
from .identity.merged import merge_principals as merge_principals
from .identity.principals import shareable as shareable
from .identity.principals import vary as vary
from .identity.pseudonyms import pseudonym as pseudonym
from .identity.tables import principals_from_table as principals_from_table
from .insights.app_code import to_code as to_code
from .insights.compare import compare as compare
from .insights.compared_people import compare_people as compare_people
from .insights.coverage import coverage as coverage
from .insights.data_quality import problems as problems
from .insights.decision_log import replay_log as replay_log
from .insights.goals import largest as largest
from .insights.goals import smallest as smallest
from .insights.parity import same_principal as same_principal
from .insights.replay import replay as replay
from .insights.sql_table import SqlTable as SqlTable
from .insights.sql_table import sql_table as sql_table
from .pdp.client import PDP as PDP
from .pdp.drafts import movable as movable
from .pdp.drafts import what_if as what_if
from .pdp.editing import Draft as Draft
from .pdp.editing import draft as draft
from .samples import sample as sample
from .sweeps.sweep import sweep as sweep
from .values import MISSING as MISSING
from .values import OTHER as OTHER
from .values import SELF as SELF
from .values import amounts as amounts

__all__ = [
    "MISSING",
    "OTHER",
    "PDP",
    "SELF",
    "Axis",
    "Changes",
    "ClerkError",
    "Counterfactuals",
    "Coverage",
    "Decisions",
    "Draft",
    "Explanation",
    "Explorer",
    "GoalValue",
    "InputError",
    "KeyMissingError",
    "LabError",
    "LabWarning",
    "LogReplay",
    "Mapping",
    "Matrix",
    "PDPError",
    "Parity",
    "PolicyError",
    "PolicyProblem",
    "Provenance",
    "ProviderError",
    "Replay",
    "SqlTable",
    "Tune",
    "User",
    "UsersError",
    "amounts",
    "claims_to_principal",
    "compare",
    "compare_people",
    "coverage",
    "draft",
    "explore",
    "largest",
    "load_principals",
    "load_users",
    "merge_principals",
    "movable",
    "principals_from_table",
    "problems",
    "pseudonym",
    "replay",
    "replay_log",
    "same_principal",
    "sample",
    "shareable",
    "smallest",
    "sql_table",
    "sweep",
    "to_code",
    "to_principals",
    "tune",
    "vary",
    "what_if",
]
