// Runs a WebAssembly program of the WASI kind: `node wasi.mjs PROGRAM [ARGUMENT]...`.

import { readFile } from "node:fs/promises";
import { WASI } from "node:wasi";

const [path, ...rest] = process.argv.slice(2);
const wasi = new WASI({
  version: "preview1",
  args: [path, ...rest],
  env: process.env,
  preopens: { "/": "/" },
});
const program = await WebAssembly.compile(await readFile(path));
process.exitCode = wasi.start(
  await WebAssembly.instantiate(program, wasi.getImportObject()),
);
