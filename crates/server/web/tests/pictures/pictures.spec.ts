// Pictures for the documentation: `npm run pictures`.
import { join } from 'node:path';
import { answers, expect, say, settled, test } from '../fixtures.ts';

const folder = join(import.meta.dirname, '../../../../../docs/images');
const picture = (name: string) => ({ path: join(folder, `page-${name}.png`), animations: 'disabled' as const });

// They show a mock: no model of that name answers so well.
test.use({ serverOptions: { name: 'your-model' } });

for (const theme of ['light', 'dark'] as const) {
  test(`the page, ${theme}`, async ({ page, mock }) => {
    await page.emulateMedia({ colorScheme: theme });
    await page.goto(mock.url);
    for (const title of ['Why is the sky blue?', 'A packing list for three days in the hills', 'Rename files by date in bash']) {
      await say(page, title);
      await settled(page);
      await page.keyboard.press('Control+Shift+O');
    }
    if (theme === 'dark') await page.screenshot(picture('welcome'));
    await say(page, 'How does a heat pump work? Please show the maths and some code.');
    await expect(answers(page)).toContainText('Large radiators');
    await settled(page);
    await page.getByRole('region', { name: 'Messages' }).evaluate((frame) => frame.scrollTo({ top: 0 }));
    await page.mouse.move(0, 0);
    await page.screenshot(picture(theme));
  });
}

test('the page on a phone', async ({ page, mock }) => {
  await page.setViewportSize({ width: 390, height: 780 });
  await page.goto(mock.url);
  await say(page, 'Please show me how a heat pump works.');
  await expect(answers(page)).toContainText('Large radiators');
  await settled(page);
  await page.getByRole('region', { name: 'Messages' }).evaluate((frame) => frame.scrollTo({ top: 0 }));
  await page.screenshot(picture('phone'));
});

test('settings of a chat', async ({ page, mock }) => {
  await page.goto(mock.url);
  await page.getByRole('button', { name: /^Settings of this chat/ }).click();
  await page.getByLabel('System prompt').fill('You are a patient teacher of physics.');
  await page.getByLabel('Temperature').fill('0.4');
  await page.screenshot(picture('settings'));
});
