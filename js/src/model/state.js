/** @import { State } from "../types.ts" */

/** How everything is shown at first; `START` in Python says the same. */
export const START = Object.freeze(
  /** @type {State} */ ({
    view: "matrix",
    exact: null,
    search: "",
    sort: "given",
    descending: false,
    grouped: false,
    effect: "any",
    problem: false,
    filters: {},
    scale: "linear",
  }),
);

/**
 * The labels that a filter keeps; undefined where there is none of this name.
 * @param {State} state
 * @param {string} name
 */
export const chosenOf = (state, name) =>
  Object.hasOwn(state.filters, name) ? state.filters[name] : undefined;
