// Bundles the page and writes it as C++: node web/build.mjs OUT_DIR makes OUT_DIR/assets/* and OUT_DIR/page_files.cc.
// The same sources give the same bytes, on any machine: no times, no paths, no names of files in the output.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const WEB = path.dirname(fileURLToPath(import.meta.url));
const LITERAL_BYTES = 96; // of one line's string literal

async function tool(name) {
  try {
    return await import(name);
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND") throw error;
    console.error(`web: ${name} is not installed: run tools/deps`);
    process.exit(1);
  }
}

function checkTypes(ts) {
  const config = ts.getParsedCommandLineOfConfigFile(path.join(WEB, "tsconfig.json"), {}, {
    ...ts.sys, onUnRecoverableConfigFileDiagnostic: (problem) => { throw new Error(ts.flattenDiagnosticMessageText(problem.messageText, "\n")); },
  });
  const program = ts.createProgram(config.fileNames, config.options);
  const problems = [...config.errors, ...ts.getPreEmitDiagnostics(program)];
  if (problems.length === 0) return;
  const host = { getCurrentDirectory: () => path.dirname(WEB), getCanonicalFileName: (name) => name, getNewLine: () => "\n" };
  console.error(ts.formatDiagnostics(problems, host));
  process.exit(1);
}

export async function bundle() {
  const esbuild = await tool("esbuild");
  const result = await esbuild.build({
    entryPoints: { page: path.join(WEB, "src/main.tsx") },
    absWorkingDir: WEB,
    outdir: "assets",
    bundle: true,
    write: false,
    minify: true,
    format: "iife",
    target: ["es2021", "chrome100", "firefox100", "safari15.4"],
    jsx: "automatic",
    jsxImportSource: "preact",
    legalComments: "none",
    logLevel: "warning",
  });
  const made = (name) => Buffer.from(result.outputFiles.find((file) => file.path.endsWith(name)).contents);
  return [
    { path: "/", type: "text/html; charset=utf-8", bytes: readFileSync(path.join(WEB, "index.html")) },
    { path: "/assets/page.js", type: "text/javascript; charset=utf-8", bytes: made("page.js") },
    { path: "/assets/page.css", type: "text/css; charset=utf-8", bytes: made("page.css") },
    { path: "/assets/icon.svg", type: "image/svg+xml", bytes: readFileSync(path.join(WEB, "icon.svg")) },
  ].map((file) => ({ ...file, etag: `"${createHash("sha256").update(file.bytes).digest("base64url").slice(0, 22)}"` }));
}

// As adjacent string literals. Octal escapes always have three digits, so that no digit after one belongs to it.
function literal(bytes) {
  const lines = [];
  for (let at = 0; at < bytes.length; at += LITERAL_BYTES) {
    let line = "";
    for (const byte of bytes.subarray(at, at + LITERAL_BYTES)) {
      const plain = byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c && byte !== 0x3f;
      line += plain ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, "0")}`;
    }
    lines.push(`    "${line}"`);
  }
  return lines.join("\n");
}

function asCpp(files) {
  const bodies = files.map((file, i) => `constexpr std::string_view kBytes${i}(\n${literal(file.bytes)},\n    ${file.bytes.length});\n`);
  const rows = files.map((file, i) => `    {"${file.path}", "${file.type}", kBytes${i}, "\\"${file.etag.slice(1, -1)}\\""},`);
  return `// Made by web/build.mjs.
#include "http/page.h"

namespace tidemark::http {
namespace {

${bodies.join("\n")}
constexpr PageFile kFiles[] = {
${rows.join("\n")}
};

}  // namespace

std::span<const PageFile> page_files() { return kFiles; }

}  // namespace tidemark::http
`;
}

async function main(outDir) {
  const { default: ts } = await tool("typescript");
  checkTypes(ts);
  const files = await bundle();
  mkdirSync(path.join(outDir, "assets"), { recursive: true });
  for (const file of files) writeFileSync(path.join(outDir, file.path === "/" ? "index.html" : file.path), file.bytes);
  writeFileSync(path.join(outDir, "page_files.cc"), asCpp(files));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.length !== 3) {
    console.error("usage: node web/build.mjs OUT_DIR");
    process.exit(2);
  }
  await main(path.resolve(process.argv[2]));
}
