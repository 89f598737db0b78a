"""Decisions with any effects, made without a PDP: displays cannot tell the difference."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from hypothesis import strategies as st

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.decisions.cells import DenseEffects, Effects
from clerk_cerbos_lab.decisions.cube import SweptCube
from clerk_cerbos_lab.decisions.question import Question

PROVENANCE = lab.Provenance(
    pdp_version="0.55.0",
    engine="none",
    policy_digest="0123456789abcdef",
    evaluation="lenient",
    mapping=None,
    method="every-cell",
    verified="made for a test",
    names_checked=True,
    notes=(),
    asked=0,
    classes=0,
    audited=0,
    asked_along_axes=0,
    started=datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
    seconds=0.0,
    policy_version="",
    scope="",
    principal_policy_version=None,
    principal_scope=None,
    aux_data=False,
)


def made(
    effects: npt.ArrayLike | Effects,
    axes: dict[str, Sequence[Any]],
    *,
    names: Sequence[str] | None = None,
    actions: Sequence[str] | None = None,
    **more: Any,
) -> lab.Decisions:
    """Return decisions with these effects: principals, actions, then the axes."""
    cells = (
        DenseEffects(np.asarray(effects, dtype=np.bool_))
        if isinstance(effects, (np.ndarray, list))
        else effects
    )
    assert not isinstance(cells, (int, float, str, bytes))
    people, acts = cells.shape[:2]  # type: ignore[union-attr]
    ids = tuple(names or (f"u{i}" for i in range(people)))
    frame = pd.DataFrame({"id": ids, "roles": [("user",)] * people})
    question = Question(
        kind=more.pop("kind", "thing"),
        actions=tuple(actions or (f"act{i}" for i in range(acts))),
        axes=tuple(lab.Axis(name, tuple(values)) for name, values in axes.items()),
        fixed=more.pop("fixed", {"resource_id": "resource"}),
        units=more.pop("units", {}),
    )
    given: dict[str, Any] = {"principals": frame, "names": ids, "provenance": PROVENANCE, **more}
    return lab.Decisions(cube=SweptCube(cells), question=question, **given)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Mapped:
    """Cells of which many are equal: a small cube with index maps for each dimension."""

    small: npt.NDArray[np.bool_]
    maps: tuple[npt.NDArray[np.intp], ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(len(places) for places in self.maps)

    def take(self, index: Sequence[npt.NDArray[np.intp]]) -> npt.NDArray[np.bool_]:
        inner = [places[wanted] for places, wanted in zip(self.maps, index, strict=True)]
        taken: npt.NDArray[np.bool_] = self.small[np.ix_(*inner)]
        return taken

    def allowed(self, index: Sequence[npt.NDArray[np.intp]]) -> int:
        counts = self.small.astype(np.int64)
        for dim, (places, wanted) in enumerate(zip(self.maps, index, strict=True)):
            weight = np.bincount(places[wanted], minlength=self.small.shape[dim])
            counts = counts * weight.reshape([-1 if d == dim else 1 for d in range(counts.ndim)])
        return int(counts.sum())

    def classes(self, principals: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
        classes: npt.NDArray[np.intp] = self.maps[0][principals]
        return classes


@st.composite
def mapped(draw: st.DrawFn, dims: int = 4) -> Mapped:
    """Return small random cells behind index maps."""
    inner = [draw(st.integers(1, 3)) for _ in range(dims)]
    outer = [draw(st.integers(1, 5)) for _ in range(dims)]
    seed = draw(st.integers(0, 10_000))
    random = np.random.default_rng(seed)
    maps = tuple(random.integers(0, n, size=m) for n, m in zip(inner, outer, strict=True))
    return Mapped(random.random(inner) < 0.5, maps)
