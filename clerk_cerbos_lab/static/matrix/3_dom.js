let serial = 0;

/** An element; text and attributes only, so that no value can become markup. */
function h(tag, attributes = {}, ...children) {
  const element = tag.startsWith("svg:")
    ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(4))
    : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const unique = (prefix) => `ccl-${prefix}-${(serial += 1)}`;

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/** Follow the theme of the page: JupyterLab's, an editor's, else what the reader's system prefers. */
function followTheme(root) {
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
  observer.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-vscode-theme-kind"] });
  return () => {
    media.removeEventListener("change", set);
    observer.disconnect();
  };
}

async function copyText(text) {
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

/**
 * A range with two handles and ticks: two native sliders on one track, so that mouse, touch and keys work as everywhere.
 * `change(low, high)` is called while a handle moves.
 */
function twoHandles(label, { min, max, step, ticks = [], strong = [] }, change) {
  const options = { min, max, step };
  const low = h("input", { type: "range", class: "ccl-low", "aria-label": `${label}, lowest`, ...options });
  const high = h("input", { type: "range", class: "ccl-high", "aria-label": `${label}, highest`, ...options });
  low.value = min;
  high.value = max;
  const fill = h("div", { class: "ccl-fill" });
  const marks = h("div", { class: "ccl-ticks" });
  const place = (x) => ((x - options.min) / (options.max - options.min || 1)) * 100;
  const paint = () => {
    fill.style.left = `${place(+low.value)}%`;
    fill.style.right = `${100 - place(+high.value)}%`;
    low.setAttribute("aria-valuetext", numberLabel(+low.value));
    high.setAttribute("aria-valuetext", numberLabel(+high.value));
  };
  const moved = (event) => {
    if (+low.value > +high.value) {
      if (event.target === low) low.value = high.value;
      else high.value = low.value;
    }
    paint();
    change(+low.value, +high.value);
  };
  low.addEventListener("input", moved);
  high.addEventListener("input", moved);
  /** The nearest handle goes to a tick. */
  const jump = (x) => {
    const near = Math.abs(+low.value - x) < Math.abs(+high.value - x) ? low : high;
    near.value = x;
    moved({ target: near });
  };
  const draw = (numbers, heavy) => {
    let free = -Infinity;
    const bold = new Set(heavy);
    marks.replaceChildren(...[...new Set([...numbers, ...heavy])].sort((a, b) => a - b).filter((x) => x >= options.min && x <= options.max).map((x) => {
      const text = numberLabel(x);
      const labelled = bold.has(x) || !heavy.length ? place(x) >= free : false;
      if (labelled) free = place(x) + Math.max(16, text.length * 3.4);
      return h("button", { type: "button", class: bold.has(x) ? "ccl-tick ccl-strong" : "ccl-tick", style: `left:${place(x)}%`, tabindex: "-1",
        title: bold.has(x) ? `${text}: an effect flips here` : `${text}: a policy compares with it`, "aria-label": `to ${text}`, onclick: () => jump(x) },
        labelled ? h("span", {}, text) : null);
    }));
  };
  draw(ticks, strong);
  paint();
  return {
    element: h("div", { class: "ccl-range" }, h("div", { class: "ccl-track" }, fill, low, high), marks),
    set(a, b) {
      if (b > options.max) options.max = +(high.max = low.max = b);
      if (a < options.min) options.min = +(high.min = low.min = a);
      low.value = a;
      high.value = b;
      paint();
    },
    ticks: draw,
  };
}
