// Bundles the widget into the Python package. With --tests: the unit tests instead. With --check: compares only.
import { build } from "esbuild";
import { readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const TARGET = "../src/nbsteps/display/static";
const LIMIT = 150_000;
const common = {
  bundle: true,
  format: "esm",
  target: ["es2022", "chrome111", "firefox113", "safari16.4"],
  jsx: "automatic",
  jsxImportSource: "preact",
  logLevel: "warning",
  legalComments: "inline",
  charset: "utf8",
};

async function widget() {
  const made = await build({
    ...common,
    entryPoints: { widget: "src/widget.tsx" },
    loader: { ".css": "css" },
    minify: true,
    outdir: TARGET,
    write: !process.argv.includes("--check"),
  });
  for (const file of made.outputFiles ?? []) {
    const name = file.path.split("/").at(-1);
    if (readFileSync(`${TARGET}/${name}`, "utf8") !== file.text) throw new Error(`${name} is not what the sources give: npm run build`);
  }
  const size = gzipSync(readFileSync(`${TARGET}/widget.js`)).length + gzipSync(readFileSync(`${TARGET}/widget.css`)).length;
  console.log(`widget: ${(size / 1000).toFixed(1)} kB gzipped`);
  if (size > LIMIT) throw new Error(`the bundle has ${size} bytes gzipped, ${LIMIT} are allowed`);
}

async function tests() {
  const entryPoints = readdirSync("test").filter((name) => name.endsWith(".test.ts")).map((name) => `test/${name}`);
  await build({ ...common, entryPoints, platform: "node", target: "node20", outdir: "build/tests", outExtension: { ".js": ".mjs" } });
}

await (process.argv.includes("--tests") ? tests() : widget());
