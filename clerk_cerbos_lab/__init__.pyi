from .clerk import load_users as load_users
from .constants import what_if as what_if
from .decisions import Axis as Axis
from .decisions import Decisions as Decisions
from .decisions import Provenance as Provenance
from .errors import ClerkError as ClerkError
from .errors import InputError as InputError
from .errors import KeyMissingError as KeyMissingError
from .errors import LabError as LabError
from .errors import LabWarning as LabWarning
from .errors import PDPError as PDPError
from .errors import PolicyError as PolicyError
from .errors import PolicyProblem as PolicyProblem
from .errors import UsersError as UsersError
from .explorer import Explorer as Explorer
from .explorer import explore as explore
from .load import load_principals as load_principals
from .mapping import Mapping as Mapping
from .mapping import problems as problems
from .mapping import to_principals as to_principals
from .matrix import Matrix as Matrix
from .pdp import PDP as PDP
from .principals import shareable as shareable
from .principals import vary as vary
from .pseudonyms import pseudonym as pseudonym
from .sweeps import sweep as sweep
from .users import User as User
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
    "ClerkError",
    "Decisions",
    "Explorer",
    "InputError",
    "KeyMissingError",
    "LabError",
    "LabWarning",
    "Mapping",
    "Matrix",
    "PDPError",
    "PolicyError",
    "PolicyProblem",
    "Provenance",
    "User",
    "UsersError",
    "amounts",
    "explore",
    "load_principals",
    "load_users",
    "problems",
    "pseudonym",
    "shareable",
    "sweep",
    "to_principals",
    "vary",
    "what_if",
]
