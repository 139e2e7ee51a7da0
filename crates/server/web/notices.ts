// The licence texts of the packages whose code or fonts end up in the bundle.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Everything that `src` imports, and what Svelte's own run time brings along. */
const BUNDLED = [
  '@fontsource-variable/inter',
  '@lucide/svelte',
  'clsx',
  'dompurify',
  'esm-env',
  'highlight.js',
  'idb',
  'katex',
  'marked',
  'svelte',
];

/** One text: name, version and licence of each bundled package. */
export function notices(root = import.meta.dirname): string {
  const parts = BUNDLED.map((name) => {
    const folder = join(root, 'node_modules', name);
    const { version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const file = readdirSync(folder)
      .sort()
      .find((entry) => /^licen[cs]e/i.test(entry));
    if (!file) throw new Error(`${name} has no licence file`);
    const text = readFileSync(join(folder, file), 'utf8').replaceAll('\r\n', '\n').trim();
    return `${name} ${version} (${license})\n\n${text}\n`;
  });
  return parts.join(`\n${'-'.repeat(80)}\n\n`);
}
