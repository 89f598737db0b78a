/** The parts that a browser test needs: see tests/display/test_browser_drawing.py. */

export { addStyle } from "../src/dom/page.js";
export { Cube } from "../src/model/cube.js";
export { decode } from "../src/model/payload.js";
export { MatrixView } from "../src/view/view.js";
