/** @import { State } from "../types.ts" */

/** The initial state of a view; equal to `START` in Python. */
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
 * The labels that a filter keeps; undefined if there is no filter of this name.
 * @param {State} state
 * @param {string} name
 */
export const chosenOf = (state, name) =>
  Object.hasOwn(state.filters, name) ? state.filters[name] : undefined;

/**
 * The filter of the one action that a view begins with, if it does.
 * @param {State} state
 * @returns {State["filters"]}
 */
export function tabOf({ filters: { action } }) {
  return action?.length === 1 ? { action } : {};
}
