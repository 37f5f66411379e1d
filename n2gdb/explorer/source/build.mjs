// Bundles the page into ../static, or with --check says whether what lies there is what the sources give.

import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants } from "node:zlib";
import { build } from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const there = join(here, "..", "static");
const check = process.argv.includes("--check");

async function bundled(options) {
  const { outputFiles } = await build({
    absWorkingDir: here,
    outdir: there,
    bundle: true,
    minify: true,
    format: "esm",
    target: ["es2022"],
    charset: "utf8",
    legalComments: "none",
    jsx: "automatic",
    jsxImportSource: "preact",
    define: { "process.env.NODE_ENV": '"production"' },
    write: false,
    logLevel: "warning",
    ...options,
  });
  return outputFiles;
}

// What not every page shows at once comes in files of its own, which their content names.
const apart = [];
for (const name of ["charts", "editor"]) apart.push(...(await bundled({ entryPoints: { [name]: `${name}.ts` }, entryNames: "[name]-[hash]" })));
const named = new Map(apart.map(({ path }) => [`./${basename(path).split("-")[0]}`, `./${basename(path)}`]));
const elsewhere = { name: "apart", setup: ({ onResolve }) => onResolve({ filter: /^\.\/\w+$/ }, ({ path, kind }) => (kind === "dynamic-import" && named.has(path) ? { path: named.get(path), external: true } : null)) };
const page = await bundled({ entryPoints: { app: "app.tsx" }, plugins: [elsewhere] });

// Beside each lies what browsers take of it that read Brotli, which Python's own library does not write.
const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 22 } };
const files = [...apart, ...page].flatMap(({ path, contents }) => [
  { path, contents: Buffer.from(contents) },
  { path: `${path}.br`, contents: brotliCompressSync(contents, quality) },
]);
const names = new Set(files.map(({ path }) => basename(path)));
for (const name of await readdir(there)) {
  if (!/-[A-Z0-9]{8}\.js(\.br)?$/.test(name) || names.has(name)) continue;
  if (check) fault(name);
  else await rm(join(there, name));
}
for (const { path, contents } of files) {
  if (!check) await writeFile(path, contents);
  else if (!(await readFile(path).catch(() => null))?.equals(contents)) fault(path);
}

function fault(path) {
  console.error(`${path} is not what the sources give: run npm run build, and commit it`);
  process.exitCode = 1;
}
