"""Decisions in files, and as labelled arrays of xarray."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd

from clerk_cerbos_lab.errors import InputError
from clerk_cerbos_lab.files import whole_file
from clerk_cerbos_lab.values import to_json

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt
    import pyarrow.parquet as pq

    from clerk_cerbos_lab.decisions.axes import Axis


def columns_of(labels: Mapping[str, Any], axes: Sequence[Axis], suffix: str = "") -> dict[str, Any]:
    """The values of each dimension as stored in a file: as JSON if they do not have one plain type.

    Args:
        labels: for principals and actions, the arrays of their labels.
        axes: the axes.
        suffix: for the name of a column of JSON.
    """
    columns = dict(labels)
    for axis in axes:
        if axis.plain:
            columns[axis.name] = axis.array()
        else:
            texts = [to_json(value) for value in axis.values]
            columns[f"{axis.name}{suffix}"] = pd.array(texts, dtype="str")
    return columns


def write_csv(path: str | os.PathLike[str], frames: Iterable[pd.DataFrame]) -> None:
    """Write frames one after the other into one CSV file in UTF-8."""
    header = True
    with whole_file(path) as fresh, fresh.open("w", encoding="utf-8", newline="") as out:
        for frame in frames:
            frame.to_csv(out, header=header, index=False)
            header = False


def write_parquet(
    path: str | os.PathLike[str], frames: Iterable[pd.DataFrame], about: Mapping[str, Any]
) -> None:
    """Write frames one after the other into one Parquet file; ``about`` is JSON for its metadata."""
    import pyarrow as pa  # noqa: PLC0415 - takes 0.2 s, needed only here
    import pyarrow.parquet as pq  # noqa: PLC0415

    metadata = {b"clerk_cerbos_lab": json.dumps(about, ensure_ascii=False).encode()}
    writer: pq.ParquetWriter | None = None
    with whole_file(path) as fresh:
        try:
            for frame in frames:
                table = pa.Table.from_pandas(frame, preserve_index=False)
                table = table.replace_schema_metadata({**(table.schema.metadata or {}), **metadata})
                writer = writer or pq.ParquetWriter(fresh, table.schema, compression="zstd")
                writer.write_table(table)
        finally:
            if writer is not None:
                writer.close()


def data_array(allowed: npt.NDArray[Any], coordinates: Mapping[str, Any], about: Mapping[str, Any]) -> Any:
    """Effects as an ``xarray.DataArray``.

    Raises:
        InputError: if xarray is not installed.
    """
    try:
        import xarray  # noqa: PLC0415 - an extra
    except ImportError:
        msg = "to_xarray needs xarray: pip install 'clerk-cerbos-lab[xarray]'"
        raise InputError(msg) from None
    return xarray.DataArray(
        allowed, coords=coordinates, dims=list(coordinates), name="allowed", attrs=dict(about)
    )
