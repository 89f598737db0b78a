/** The bundle of pages and stored outputs, which no kernel answers: `revive`. */

import { h } from "./dom/dom.js";
import { addStyle } from "./dom/page.js";
import { Cube } from "./model/cube.js";
import { decode, unpack } from "./model/payload.js";
import { ScenariosView } from "./view/scenarios.js";
import { MatrixView } from "./view/view.js";

/** @import { State } from "./types.ts" */

/**
 * Make every element with this id interactive, in place of the table for readers without scripts.
 * @param {string} id
 * @param {string[]} texts payloads as base64; one for each scenario
 * @param {boolean} deflated
 * @param {Partial<State>} state
 */
export async function revive(id, texts, deflated, state) {
  const cubes = [];
  for (const text of texts) cubes.push(new Cube(decode(await unpack(text, deflated))));
  for (const { dims } of cubes) if (dims[0].same) dims[0] = { ...cubes[0].dims[0], map: dims[0].map };
  addStyle();
  for (const element of document.querySelectorAll(`[data-ccl="${id}"]`)) {
    if (!(element instanceof HTMLElement) || element.dataset.cclLive) continue;
    element.dataset.cclLive = "true";
    const place = h("div", { class: "ccl-live" });
    element.querySelector(".ccl-static")?.classList.add("ccl-print");
    element.append(place);
    if (cubes.length > 1) new ScenariosView(place, cubes, { state });
    else new MatrixView(cubes[0], { state }).mount(place);
  }
}
