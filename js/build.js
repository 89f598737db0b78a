/** Bundle the browser part: node build.js [entry] [bundle]; without a bundle it is printed. */

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";

/** @import { Plugin } from "esbuild" */

const local = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));
const [entry = local("src/entry.js"), bundle] = process.argv.slice(2);

/** Recent browsers: syntax that all of them support is not rewritten. */
const TARGET = ["chrome111", "firefox113", "safari16.4"];

/** @type {Plugin} Style sheets are imported as minified text. */
const styles = {
  name: "styles",
  setup({ onLoad }) {
    onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(await readFile(path, "utf8"), {
        loader: "css",
        minify: true,
        target: TARGET,
      });
      return { contents: code.trim(), loader: "text" };
    });
  },
};

const { outputFiles } = await build({
  entryPoints: [entry],
  bundle: true,
  format: "esm",
  minify: true,
  target: TARGET,
  charset: "utf8",
  legalComments: "none",
  logLevel: "warning",
  plugins: [styles],
  outfile: bundle ?? "bundle.js",
  write: bundle !== undefined,
});
if (!bundle) for (const { text } of outputFiles ?? []) process.stdout.write(text);
