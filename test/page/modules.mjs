// The page's modules that know no browser, compiled and imported as they are.
import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { after } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import esbuild from "esbuild";

const WEB = fileURLToPath(new URL("../../web/src/", import.meta.url));
const out = mkdtempSync(path.join(os.tmpdir(), "tidemark-page-"));
after(() => rmSync(out, { recursive: true, force: true }));

export async function modules(names) {
  await esbuild.build({ entryPoints: names.map((name) => path.join(WEB, `${name}.ts`)), outdir: out, outbase: WEB, bundle: true, format: "esm", platform: "neutral", outExtension: { ".js": ".mjs" }, logLevel: "warning" });
  return Promise.all(names.map((name) => import(pathToFileURL(path.join(out, `${name}.mjs`)).href)));
}
