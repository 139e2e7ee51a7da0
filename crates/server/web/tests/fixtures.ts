// What every test of the page holds: no error in the console, no request to another origin, no waiting for fonts.
import { expect, test as base, type Page } from '@playwright/test';
import { startMock } from './mock.mjs';

interface Mock {
  url: string;
  /** The bodies of all questions. */
  requests: any[];
  /** How many answers the page broke off. */
  aborted: number;
  health: number;
  loaded: string;
  close: () => Promise<void>;
}

interface Fixtures {
  /** Options of the mock server. */
  serverOptions: { key?: string; prefix?: string; name?: string };
  /** Answers with an error status, which the browser writes into its console too. */
  refusals: boolean;
  mock: Mock;
  watch: void;
}

export const test = base.extend<Fixtures>({
  serverOptions: [{}, { option: true }],
  refusals: [false, { option: true }],
  mock: async ({ serverOptions }, use) => {
    const mock = (await startMock(serverOptions)) as unknown as Mock;
    await use(mock);
    await mock.close();
  },
  watch: [
    async ({ page, refusals }, use) => {
      const errors: string[] = [];
      const origins = new Set<string>();
      page.on('pageerror', (error) => errors.push(error.message));
      page.on('console', (message) => {
        const expected = refusals && /^Failed to load resource|net::ERR_/.test(message.text());
        if (message.type() === 'error' && !expected) errors.push(message.text());
      });
      page.on('request', (request) => {
        const url = new URL(request.url());
        if (url.protocol.startsWith('http')) origins.add(url.origin);
      });
      await use();
      expect(errors).toEqual([]);
      expect(origins.size, [...origins].join(' ')).toBeLessThanOrEqual(1);
    },
    { auto: true },
  ],
});

export { expect };

export const field = (page: Page) => page.getByRole('textbox', { name: 'Message', exact: true });
export const answers = (page: Page) => page.getByRole('article', { name: 'Answer' });
export const questions = (page: Page) => page.getByRole('article', { name: 'You' });

/** Types `text`, sends it, and sees the answer begin. */
export async function say(page: Page, text: string) {
  const before = await answers(page).count();
  await field(page).fill(text);
  await expect(page.getByRole('button', { name: 'Send' })).toBeEnabled();
  await field(page).press('Enter');
  await expect(answers(page)).toHaveCount(before + 1);
}

/** Waits until nothing is being answered. */
export async function settled(page: Page) {
  await expect(page.getByRole('button', { name: 'Stop' })).toHaveCount(0);
  await expect(page.locator('[aria-busy="true"]')).toHaveCount(0);
}

/** Nothing is wider than the screen. */
export async function expectNoSidewaysScroll(page: Page) {
  const { width, inner } = await page.evaluate(() => ({ width: document.documentElement.scrollWidth, inner: innerWidth }));
  expect(width).toBeLessThanOrEqual(inner);
}
