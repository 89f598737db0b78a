/** Put the style sheet into the page once. */
function addStyle() {
  if (document.getElementById("ccl-style")) return;
  document.head.append(h("style", { id: "ccl-style" }, STYLE));
}

/** anywidget's entry: a live output, in step with Python. */
function render({ model, el }) {
  addStyle();
  const bytes = (value) => new Uint8Array(value.buffer ?? value, value.byteOffset ?? 0, value.byteLength);
  const cube = () => new Cube(decode(bytes(model.get("payload"))));
  const options = {
    state: model.get("state"),
    onState: (state) => {
      model.set("state", state);
      model.save_changes();
    },
    onSelect: (place) => {
      model.set("place", { ...place, time: Date.now() });
      model.save_changes();
    },
  };
  const Kind = model.get("kind") === "explorer" ? ExplorerView : MatrixView;
  const view = new Kind(el, cube(), options, model);
  const changes = {
    "change:payload": () => view.load(cube()),
    "change:state": () => view.take(model.get("state")),
  };
  for (const [name, act] of Object.entries(changes)) model.on(name, act);
  return () => {
    for (const [name, act] of Object.entries(changes)) model.off(name, act);
    view.destroy();
  };
}

/** A page's entry: bring every element of this id to life, in place of the table that reads without scripts. */
async function revive(id, texts, deflated, state) {
  const cubes = [];
  for (const text of texts) cubes.push(new Cube(decode(await unpack(text, deflated))));
  for (const cube of cubes) if (cube.dims[0].same) cube.dims[0] = { ...cubes[0].dims[0], map: cube.dims[0].map };
  addStyle();
  for (const element of document.querySelectorAll(`[data-ccl="${id}"]`)) {
    if (element.dataset.cclLive) continue;
    element.dataset.cclLive = "true";
    const place = h("div", { class: "ccl-live" });
    element.querySelector(".ccl-static")?.classList.add("ccl-print");
    element.append(place);
    if (cubes.length > 1) new ScenariosView(place, cubes, { state });
    else new MatrixView(place, cubes[0], { state });
  }
}

/** A what-if without a kernel: a slider over decisions that were made before. */
class ScenariosView {
  constructor(element, cubes, options) {
    this.cubes = cubes;
    const names = cubes.map((cube) => cube.header.scenario);
    const id = unique("scenario");
    this.slider = h("input", { type: "range", id, min: 0, max: cubes.length - 1, step: 1, value: 0, "aria-valuetext": names[0], oninput: () => this.show(+this.slider.value) });
    this.name = h("output", { for: id, class: "ccl-scenario-name" }, names[0]);
    this.change = h("span", { class: "ccl-soft" });
    this.marks = h("div", { class: "ccl-marks" }, ...names.map((name, i) =>
      h("button", { type: "button", class: "ccl-link", onclick: () => { this.slider.value = i; this.show(i); } }, name)));
    const place = h("div");
    element.replaceChildren(
      h("div", { class: "ccl ccl-scenario" }, h("label", { for: id }, "what if"), this.slider, this.name, this.change, this.marks), place);
    followTheme(element.firstElementChild);
    this.view = new MatrixView(place, cubes[0], options);
    this.show(0, true);
  }

  show(i, first = false) {
    const { header } = this.cubes[i];
    setText(this.name, header.scenario);
    this.slider.setAttribute("aria-valuetext", header.scenario);
    [...this.marks.children].forEach((mark, k) => setAttribute(mark, "aria-pressed", String(k === i)));
    const by = header.allow - this.cubes[0].header.allow;
    setText(this.change, i === 0 ? "" : `${by > 0 ? "+" : by < 0 ? "−" : "±"}${count(Math.abs(by))} ALLOW against ${this.cubes[0].header.scenario}`);
    if (!first) this.view.load(this.cubes[i]);
  }
}

export default { render };
export { revive };
