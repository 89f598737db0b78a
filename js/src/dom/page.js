/** The page around a view: its theme, its style sheet, the clipboard. */

import STYLE from "../matrix.css";
import { h } from "./dom.js";

/**
 * Add a style sheet to the page once: that of the views, unless another is given.
 * @param {string} id
 * @param {string} text
 */
export function addStyle(id = "ccl-style", text = STYLE) {
  if (document.getElementById(id)) return;
  document.head.append(h("style", { id }, text));
}

/**
 * Follow the theme of the page: JupyterLab's, the editor's, or else the preference of the reader's system.
 * @param {HTMLElement} root
 */
export function followTheme(root) {
  const media = matchMedia("(prefers-color-scheme: dark)");
  const set = () => {
    const { jpThemeLight, vscodeThemeKind } = document.body.dataset;
    let dark = media.matches;
    if (jpThemeLight !== undefined) dark = jpThemeLight === "false";
    else if (vscodeThemeKind !== undefined) dark = vscodeThemeKind.includes("dark");
    root.dataset.cclTheme = dark ? "dark" : "light";
  };
  set();
  media.addEventListener("change", set);
  const observer = new MutationObserver(set);
  const attributeFilter = ["data-jp-theme-light", "data-vscode-theme-kind"];
  observer.observe(document.body, { attributes: true, attributeFilter });
  return () => {
    media.removeEventListener("change", set);
    observer.disconnect();
  };
}

/**
 * Scroll the page as little as possible to show a part of a view, and a cell of its table even if both do not fit.
 * @param {HTMLElement} root the view
 * @param {Element} part
 * @param {Element | null} cell is not scrolled itself: the table around it draws what is visible
 */
export function showBoth(root, part, cell) {
  part.scrollIntoView({ block: "nearest" });
  if (!cell) return;
  const { top, height } = cell.getBoundingClientRect();
  const y = top - root.getBoundingClientRect().top;
  const mark = h("i", { style: `position:absolute;top:${y}px;height:${height}px` });
  root.append(mark);
  mark.scrollIntoView({ block: "nearest" });
  mark.remove();
}

/** Copy a text; returns whether the browser allowed it. */
export async function copyText(/** @type {string} */ text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = h("textarea", { style: "position:fixed;opacity:0", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

/** Lines as tab-separated text that spreadsheets can read. */
export function asText(/** @type {Iterable<string[]>} */ lines) {
  const clean = (/** @type {string} */ text) =>
    /["\t\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  return Array.from(lines, (line) => line.map(clean).join("\t")).join("\n");
}
