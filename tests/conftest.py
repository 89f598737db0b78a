"""The real PDP for every test that needs one, and a place for policies of a test's own."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import small_policies
from hypothesis import HealthCheck, settings

import clerk_cerbos_lab as lab

pytest_plugins = ["browser_fixtures"]

POLICIES = Path(__file__).parents[1] / "policies"

# If a PDP's memory is collected less often than Go does by itself, it takes a third less processor time.
os.environ.setdefault("GOGC", "800")

# On a busy machine everything takes longer, and is as right.
EXAMPLES = int(os.environ.get("LAB_EXAMPLES", "40"))
settings.register_profile(
    "lab", max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("lab")


@pytest.fixture(scope="session", autouse=True)
def _no_settings_of_the_machine() -> Iterator[None]:
    """Hide a PDP that the environment of this machine points at."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("CERBOS_")]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_as_in_a_terminal() -> None:
    """Hear a Ctrl-C, which processes that a shell starts with ``&`` ignore, and so do all that they start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def pdp(_no_settings_of_the_machine: None) -> Iterator[lab.PDP]:
    """Return a PDP on the sample policies."""
    with lab.PDP(POLICIES) as running:
        yield running


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes policies, ``name=text``, and returns their folder."""
    return lambda **files: small_policies.write(tmp_path / "policies", **files)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab.PDP]:
    """Return a PDP on one policy: a user approves a thing up to 100."""
    folder = small_policies.write(tmp_path_factory.mktemp("small"), thing=small_policies.up_to(100))
    with lab.PDP(folder) as running:
        yield running
