"""A file of users of any size is read one user at a time."""

import gzip
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import large_user_files
import pytest

from clerk_cerbos_lab.identity import user_files

ROOT = Path(__file__).parents[2]

PROGRAM = """
import resource, sys
import clerk_cerbos_lab as lab

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

lab.sweep  # what every session has loaded
mapping = lab.Mapping.of(sys.argv[1], roles=("group_names",) if "directory" in sys.argv[1] else (),
                         metadata=("region", "department", "approval_limit"), profile={})
before = peak()
principals = lab.load_principals(sys.argv[2], mapping=mapping)
print(len(principals), before, peak())
"""


def measured(provider: str, megabytes: int, folder: Path) -> tuple[float, float]:
    """Return the peaks of memory before and after loading a file, in MB."""
    path = folder / "users.json"
    count = large_user_files.write(path, provider, megabytes)
    assert path.stat().st_size > megabytes * 1_000_000
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, provider, str(path)],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=300,
    )
    found, before, after = map(float, run.stdout.split())
    assert found == count
    return before, after


def test_ten_megabytes_need_less_than_five_times_that(tmp_path: Path) -> None:
    before, after = measured("okta", 10, tmp_path)
    assert after - before < 50


@pytest.mark.long
@pytest.mark.parametrize("provider", large_user_files.FILES)
def test_fifty_megabytes_of_any_provider_need_at_most_300_in_all(provider: str, tmp_path: Path) -> None:
    _, after = measured(provider, 50, tmp_path)
    assert after <= 300


def test_a_bar_counts_the_bytes_of_a_file_compressed_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "users.json"
    count = large_user_files.write(path, "auth0", 3)
    packed = tmp_path / "users.json.gz"
    packed.write_bytes(gzip.compress(path.read_bytes(), 1))
    bars: list[tuple[int | None, str, list[int]]] = []

    @contextmanager
    def watched(total: int | None, unit: str) -> Iterator[Callable[[int], object]]:
        pieces: list[int] = []
        bars.append((total, unit, pieces))
        yield pieces.append

    monkeypatch.setattr(user_files, "progress", watched)
    for file in (path, packed):
        bars.clear()
        assert sum(1 for _ in user_files.UserFile(file, "Auth0 users")) == count
        [(total, unit, pieces)] = bars
        assert (total, unit) == (file.stat().st_size, "bytes")
        assert sum(pieces) == total
        assert len([piece for piece in pieces if piece]) > 2
    bars.clear()
    assert sum(1 for _ in user_files.UserFile(path, "Auth0 users", bar=False)) == count
    assert bars == []
