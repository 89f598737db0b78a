/** Small controls: a choice of buttons, a menu, a panel that opens. */

import { h, setAttribute } from "./dom.js";

/**
 * A row of buttons, one of which is pressed.
 * @param {string} label
 * @param {[value: string, text: string, title: string][]} options
 * @param {(value: string) => void} onChange
 */
export function choice(label, options, onChange) {
  const buttons = options.map(([value, text, title]) =>
    h("button", { type: "button", "data-value": value, title, onclick: () => onChange(value) }, text),
  );
  const element = h("div", { class: "ccl-choice", role: "group", "aria-label": label }, ...buttons);
  return {
    element,
    set(/** @type {string} */ value) {
      for (const button of buttons)
        setAttribute(button, "aria-pressed", String(button.dataset.value === value));
    },
  };
}

/**
 * @param {string} label
 * @param {[value: string | number, text: string][]} options
 * @param {(value: string) => void} onChange
 */
export function menu(label, options, onChange) {
  const select = h(
    "select",
    { "aria-label": label, onchange: () => onChange(select.value) },
    ...options.map(([value, text]) => h("option", { value }, text)),
  );
  return select;
}

/**
 * @param {string} text
 * @param {() => void} onclick
 * @param {import("./dom.js").Attributes} attributes
 */
export function button(text, onclick, attributes = {}) {
  return h("button", { type: "button", class: "ccl-button", onclick, ...attributes }, text);
}

/**
 * A button within a line of text.
 * @param {string} text
 * @param {() => void} onclick
 * @param {import("./dom.js").Attributes} attributes
 */
export function link(text, onclick, attributes = {}) {
  return h("button", { type: "button", class: "ccl-link", onclick, ...attributes }, text);
}

/**
 * A checkbox with its label.
 * @param {(checked: boolean) => void} onChange
 * @param {string | Node} text
 */
export function check(onChange, text) {
  const input = h("input", { type: "checkbox", onchange: () => onChange(input.checked) });
  return { input, element: h("label", { class: "ccl-check" }, input, text) };
}

/**
 * A search field for a long list of values.
 * @param {string} name of the attribute or dimension that has the values
 * @param {(text: string) => void} onInput receives the text in lower case
 */
export function finder(name, onInput) {
  const label = `find a value of ${name}`;
  const oninput = () => onInput(input.value.toLowerCase());
  const input = h("input", {
    type: "search",
    class: "ccl-find",
    placeholder: "find",
    "aria-label": label,
    oninput,
  });
  return input;
}

/**
 * A panel and the button that opens it.
 * @param {string} text
 * @param {HTMLElement} panel
 * @param {{ label?: string, onOpen?: () => void }} options
 */
export function opener(text, panel, { label, onOpen } = {}) {
  const toggle = () => {
    panel.hidden = !panel.hidden;
    if (!panel.hidden) onOpen?.();
    element.setAttribute("aria-expanded", String(!panel.hidden));
  };
  const about = { "aria-expanded": "false", "aria-controls": panel.id, "aria-label": label, title: label };
  const element = button(text, toggle, about);
  return element;
}
