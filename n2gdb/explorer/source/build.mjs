// Bundles the page into ../static, or with --check says whether what lies there is what the sources give.

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const check = process.argv.includes("--check");
const { outputFiles } = await build({
  absWorkingDir: here,
  entryPoints: { app: "app.tsx" },
  outdir: "../static",
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022"],
  charset: "utf8",
  legalComments: "none",
  jsx: "automatic",
  jsxImportSource: "preact",
  define: { "process.env.NODE_ENV": '"production"' },
  write: !check,
  logLevel: "warning",
  ...(check ? {} : { metafile: false }),
}).then((result) => ({ outputFiles: result.outputFiles ?? [] }));

for (const { path, contents } of outputFiles) {
  const there = await readFile(path).catch(() => null);
  if (there === null || !there.equals(contents)) {
    console.error(`${path} is not what the sources give: run npm run build, and commit it`);
    process.exitCode = 1;
  }
}
