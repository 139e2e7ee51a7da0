// `page`: the page against the mock server. `server`: against the real one, whose address is in INGLE_URL.
import { existsSync } from 'node:fs';
import { defineConfig } from '@playwright/test';

const known = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const executablePath = process.env.CHROMIUM ?? known.find((path) => existsSync(path));

export default defineConfig({
  testDir: '.',
  outputDir: '../test-results',
  reporter: 'list',
  // Machines that build beside are slow; nothing here waits that long where it works.
  timeout: 90_000,
  expect: { timeout: 15_000 },
  fullyParallel: true,
  workers: 2,
  forbidOnly: !!process.env.CI,
  use: {
    viewport: { width: 1280, height: 800 },
    launchOptions: { executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] },
  },
  projects: [
    { name: 'page', testMatch: 'page/*.spec.ts' },
    { name: 'server', testMatch: 'server/*.spec.ts', use: { baseURL: process.env.INGLE_URL } },
    { name: 'pictures', testMatch: 'pictures/*.spec.ts' },
  ],
});
