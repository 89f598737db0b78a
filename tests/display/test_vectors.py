"""Test cases shared by Python and the browser: js/test reads the same files in tests/vectors."""

from __future__ import annotations

import base64
import itertools
import json
import math
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from javascript import node

import clerk_cerbos_lab as lab
from clerk_cerbos_lab.decisions.intervals import Segments
from clerk_cerbos_lab.display import threshold_strips, view_state
from clerk_cerbos_lab.display.payload import Payload
from clerk_cerbos_lab.formatting import number_label

INFINITE = {"∞": math.inf, "-∞": -math.inf}  # JSON has no numbers for them


def cases(name: str) -> Any:
    return json.loads((Path(__file__).parents[1] / "vectors" / f"{name}.json").read_text("utf-8"))


def number(told: Any) -> float:
    return float(INFINITE.get(told, told))


def ends(case: dict[str, Any]) -> dict[str, Any]:
    """The ends of an interval, by Python's names."""
    return {
        "lower": number(case["lower"]),
        "lower_closed": case["lowerClosed"],
        "upper": number(case["upper"]),
        "upper_closed": case["upperClosed"],
    }


PAYLOADS = cases("payloads")

each_payload = pytest.mark.parametrize("case", PAYLOADS, ids=[case["name"] for case in PAYLOADS])


def payload_of(case: dict[str, Any]) -> Payload:
    """The payload that a case contains as bytes."""
    data = base64.b64decode(case["bytes"])
    (length,) = struct.unpack_from("<I", data)
    header = json.loads(data[4 : 4 + length])
    shape = header["small"]
    bits = np.unpackbits(np.frombuffer(data[4 + length :], dtype=np.uint8), count=math.prod(shape))
    maps = tuple(np.array(dim["map"], dtype=np.intp) for dim in header["dims"])
    exact = header["exact"]
    segments = exact and Segments(
        exact["dim"],
        np.array(exact["cuts"], dtype=np.float64),
        np.array(exact["sides"], dtype=np.int8),
        np.array(exact["map"], dtype=np.intp),
    )
    return Payload(header, bits.astype(np.bool_).reshape(shape), maps, segments, len(maps[0]))


def test_the_state_that_everything_starts_with() -> None:
    assert cases("start") == view_state.START


def test_labels_of_numbers() -> None:
    for case in cases("number_labels"):
        told = number(case["number"])
        assert number_label(told) == case["label"]
        if told.is_integer() and abs(told) < 2**53:
            assert number_label(int(told)) == case["label"]


def test_intervals_in_words() -> None:
    for case in cases("intervals"):
        assert threshold_strips.Band(allow=True, **ends(case)).words() == case["words"]


def test_strips_in_words() -> None:
    for case in cases("strips"):
        bands = tuple(threshold_strips.Band(allow=band["allow"], **ends(band)) for band in case["bands"])
        assert threshold_strips.Strip("", "", (), bands, case["exact"]).words() == case["words"]


def test_amounts_in_even_steps() -> None:
    for case in cases("amounts"):
        asked = case["low"], case["high"]
        if case.get("amounts", ...) is None:
            with pytest.raises(lab.InputError):
                lab.amounts(*asked, step=case["step"])
            continue
        found = lab.amounts(*asked, step=case["step"])
        if "amounts" in case:
            assert found == case["amounts"]
        else:
            of = [len(found), found[0], found[len(found) // 2], found[-1]]
            assert of == [case[what] for what in ("count", "first", "middle", "last")]


@each_payload
def test_cells_of_a_payload(case: dict[str, Any]) -> None:
    one = payload_of(case)
    assert base64.b64encode(one.to_bytes()).decode() == case["bytes"]
    assert [len(of) for of in one.maps] == case["shape"]
    cells = [one.effect(index) for index in itertools.product(*map(range, case["shape"]))]
    assert "".join("1" if cell else "0" for cell in cells) == case["cells"]


@each_payload
def test_strips_of_a_payload(case: dict[str, Any]) -> None:
    if "strips" in case:
        found = threshold_strips.strips(payload_of(case))
        told = [{"who": s.who, "labels": list(s.labels), "words": s.words()} for s in found]
        assert told == case["strips"]


@each_payload
def test_segments_of_a_payload(case: dict[str, Any]) -> None:
    segments = payload_of(case).segments
    if segments is None:
        assert "segments" not in case
        return
    for told in case["segments"]:
        assert segments.of([told["number"]]).tolist() == [told["segment"]]
    for told in case["ends"]:
        assert segments.ends(told["first"], told["last"]) == ends(told)


MADE = """
import { amounts } from "./src/words/amounts.js";
import { numberLabel } from "./src/words/numbers.js";
import { text } from "node:stream/consumers";
const cases = JSON.parse(await text(process.stdin));
const made = cases.map(([low, high, step]) => amounts(low, high, step).map((x) => [x, numberLabel(x)]));
console.log(JSON.stringify(made));
"""


def test_the_browser_makes_the_same_amounts_and_labels_of_many_ranges() -> None:
    random = np.random.default_rng(4)
    steps = [0.1, 0.01, 0.07, 1e-3, 1e-7, 1, 2.5, 12_345.67, *random.random(40), *(random.random(20) * 1e-8)]
    starts = [0, 0.1, -5, -0.3, 1e15, 1e-9, 4_999.99, *(random.random(8) * 1_000)]
    ranges = []
    for low, step in itertools.product(starts, steps):
        high = low + step * float(random.choice([0, 1, 2.5, 10, 99.999]))
        with suppress(lab.InputError):  # doubles too near each other
            ranges.append(((low, high, step), lab.amounts(low, high, step=step)))
    asked = json.dumps([list(map(float, one)) for one, _ in ranges])
    made = json.loads(node("--input-type=module", "--eval", MADE, told=asked))
    for (one, wanted), found in zip(ranges, made, strict=True):
        assert found == [[float(x), number_label(x)] for x in wanted], one
