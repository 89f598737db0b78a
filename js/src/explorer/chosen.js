/** The current choice in an explorer's controls, by the name of the control. */

/** @import { Chosen, Range } from "../explorer_types.ts" */

/**
 * The selected positions among a control's values.
 * @param {Chosen} chosen
 * @param {string} name
 */
export const positionsIn = (chosen, name) => /** @type {number[]} */ (chosen[name]);

/**
 * The selected position in a menu.
 * @param {Chosen} chosen
 * @param {string} name
 */
export const positionIn = (chosen, name) => /** @type {number} */ (chosen[name]);

/**
 * The amounts across the top.
 * @param {Chosen} chosen
 * @param {string} name
 */
export const rangeIn = (chosen, name) => /** @type {Range} */ (chosen[name]);

/** The constants with changed values, by name. */
export const constantsIn = (/** @type {Chosen} */ chosen) =>
  /** @type {Record<string, number>} */ (chosen.constants);
