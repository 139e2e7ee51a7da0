// One script, one style sheet and the fonts, with relative addresses: the page works under any path prefix,
// and the same sources give the same bytes wherever they are built.
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';
import { notices } from './notices.ts';

/** Cuts that browsers slant or embolden well enough themselves; together they are as large as half the script. */
const SPARED = /@font-face\{[^}]*KaTeX_(?:SansSerif-(?:Bold|Italic)|Fraktur-Bold|Caligraphic-Bold|Main-BoldItalic)\.[^}]*\}/g;

/** KaTeX names each font in three formats; every browser that runs this page reads the first. */
function fewerFonts(): Plugin {
  return {
    name: 'fewer-fonts',
    enforce: 'pre',
    transform(code, id) {
      if (!id.includes('katex') || !id.endsWith('.css')) return null;
      return code.replace(SPARED, '').replace(/,\s*url\([^)]*\)\s*format\(["'](?:woff|truetype)["']\)/g, '');
    },
  };
}

/** The licences of what is bundled, as they ask for: a text beside the page. */
function licences(): Plugin {
  return {
    name: 'licences',
    generateBundle() {
      this.emitFile({ type: 'asset', fileName: 'licences.txt', source: notices() });
    },
  };
}

const server = process.env.INGLE_URL ?? 'http://127.0.0.1:8080';

export default defineConfig({
  base: './',
  plugins: [fewerFonts(), svelte(), licences()],
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 700,
  },
  server: { proxy: { '/v1': server, '/props': server, '/health': server, '/models': server } },
  test: { include: ['tests/unit/**/*.test.ts'] },
} as Parameters<typeof defineConfig>[0]);
