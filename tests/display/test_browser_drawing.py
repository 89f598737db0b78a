"""The grid draws the same as a fresh grid would, whatever it drew before."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from javascript import bundle

import clerk_cerbos_lab as lab

if TYPE_CHECKING:
    from browser import Visit

USERS = Path(__file__).parents[2] / "data" / "clerk_users.json"

# Each step shows some decisions in some way; what a view that went all the steps has drawn is compared
# with what a view draws that shows this alone.
DRAWN = """async ([text, payloads, looks, steps]) => {
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  const { Cube, MatrixView, addStyle, decode } = await import(url);
  addStyle();
  const frame = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const cube = (i) => new Cube(decode(Uint8Array.from(atob(payloads[i]), (c) => c.charCodeAt(0))));
  const place = () => document.body.appendChild(document.createElement("div"));
  const styles = ["backgroundColor", "color", "textAlign", "fontWeight", "width", "paddingLeft"];
  const look = (cell) => {
    const style = getComputedStyle(cell);
    const names = cell.getAttributeNames().filter((name) => !["style", "tabindex"].includes(name)).sort();
    const attributes = names.map((name) => [name, cell.getAttribute(name)]);
    return [cell.tagName, cell.innerHTML, attributes, styles.map((name) => style[name])];
  };
  const rows = (view) => [...view.root.querySelectorAll(".ccl-table tr")];
  const told = (view) => JSON.stringify(rows(view).map((row) => [row.className, [...row.cells].map(look)]));
  const fresh = new Map();
  const drawn = (cube, state) => {
    const view = new MatrixView(cube, { state });
    view.mount(place());
    return view;
  };
  const walker = drawn(cube(0), {});
  const wrong = [];
  for (const [i, k] of steps) {
    if (!fresh.has(`${i},${k}`)) {
      const view = drawn(cube(i), looks[k]);
      await frame();
      fresh.set(`${i},${k}`, told(view));
      view.destroy();
      view.root.parentElement.remove();
    }
    walker.load(cube(i));
    walker.set(looks[k]);
    await frame();
    if (told(walker) !== fresh.get(`${i},${k}`)) wrong.push([i, k]);
  }
  return wrong;
}"""


def test_what_is_drawn_after_any_change_of_heads_is_what_a_fresh_table_draws(
    pdp: lab.PDP, offline_page: Visit
) -> None:
    principals = lab.load_principals(USERS).iloc[[2, 7, 9, 10, 15, 20, 33, 50]]
    explorer = lab.explore(pdp, principals, "expense", region=["south"], owner=lab.OTHER, status="OPEN")
    start = {name: value for name, value in explorer.state.items() if name != "look"}
    patches: list[dict[str, Any]] = [
        {},
        {"region": ["south", "west"]},
        {"owner": [lab.OTHER, lab.SELF]},
        {"region": ["south", "west"], "status": ["OPEN", "PAID"]},
        {"region": ["south", "west"], "owner": [lab.OTHER, lab.SELF], "actions": ["approve", "view"]},
        {"region": ["south", "west"], "amount": {"high": 1_500}},  # fewer columns in the grid
        {"amount": {"high": 1_000}},
    ]
    payloads = []
    for patch in patches:
        explorer.state = {**start, **patch}
        payloads.append(explorer._payload)
    assert {len(payload.header["rows"]) for payload in payloads} == {1, 2, 3, 4}
    looks = [
        {"view": view, "exact": exact, "grouped": grouped}
        for view, exact in (("matrix", True), ("matrix", False), ("thresholds", True))
        for grouped in (False, True)
    ]
    random = np.random.default_rng(3)
    walk = np.column_stack([random.integers(0, len(payloads), 250), random.integers(0, len(looks), 250)])
    texts = [base64.b64encode(payload.to_bytes()).decode() for payload in payloads]
    wrong = offline_page.page.evaluate(DRAWN, [bundle("test/drawing_entry.js"), texts, looks, walk.tolist()])
    assert wrong == []
    assert offline_page.errors == []
