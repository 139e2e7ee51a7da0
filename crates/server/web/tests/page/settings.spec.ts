// Settings of a chat and of the page; files; models.
import { answers, expect, field, questions, say, settled, test } from '../fixtures.ts';

const open = /^Settings of this chat/;

test('system prompt and sampler go along, and only what was set', async ({ page, mock }) => {
  await page.goto(mock.url);
  await page.getByRole('button', { name: open }).click();
  await expect(page.getByLabel('Top k')).toHaveAttribute('placeholder', '40');
  await page.getByLabel('System prompt').fill('Be brief.');
  await page.getByLabel('Temperature').fill('0,4');
  await page.getByLabel('Seed').fill('7');
  await page.getByLabel('Top k').fill('many');
  await expect(page.getByText('This is not a number')).toBeVisible();
  await page.getByLabel('Stop texts').fill('\\n\\nUser:\nEND');
  await page.getByRole('button', { name: 'Close' }).click();
  await expect(page.getByRole('button', { name: 'Settings of this chat, 4 set' })).toBeFocused();
  await say(page, 'Hello');
  await settled(page);
  expect(mock.requests[0]).toMatchObject({ temperature: 0.4, seed: 7, stop: ['\n\nUser:', 'END'] });
  expect(mock.requests[0].messages[0]).toEqual({ role: 'system', content: 'Be brief.' });
  expect(mock.requests[0]).not.toHaveProperty('top_k');

  await page.reload();
  await page.getByRole('button', { name: open }).click();
  await expect(page.getByLabel('Temperature')).toHaveValue('0.4');
  await page.getByRole('button', { name: 'Reset' }).click();
  await expect(page.getByLabel('Temperature')).toHaveValue('');
});

test('settings become those of new chats', async ({ page, mock }) => {
  await page.goto(mock.url);
  await page.getByRole('button', { name: open }).click();
  await page.getByLabel('Temperature').fill('0.1');
  await page.getByRole('button', { name: 'Use for new chats' }).click();
  await page.getByRole('button', { name: 'Close' }).click();
  await say(page, 'One');
  await settled(page);
  await page.reload();
  await page.getByRole('complementary').getByRole('button', { name: 'New chat' }).click();
  await say(page, 'Two');
  await settled(page);
  expect(mock.requests[1].temperature).toBe(0.1);
});

test('another model answers, and its state is shown', async ({ page, mock }) => {
  mock.loaded = 'loading';
  await page.goto(mock.url);
  await expect(page.getByText('mock-small is being loaded…')).toBeVisible();
  mock.loaded = 'loaded';
  await expect(page.getByText('mock-small is being loaded…')).toHaveCount(0);
  await page.getByRole('button', { name: 'Model: mock-small' }).click();
  await expect(page.getByRole('option', { name: /mock-large/ })).toContainText('Not loaded');
  await expect(page.getByRole('option', { name: /mock-large/ })).toContainText('128k tokens');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: 'Model: mock-large' })).toBeFocused();
  await expect(page.getByText('mock-large is being loaded…')).toBeVisible();
  await expect(page.getByText('mock-large is being loaded…')).toHaveCount(0);
  await say(page, 'Hello');
  await settled(page);
  expect(mock.requests[0].model).toBe('mock-large');
  await page.reload();
  await expect(page.getByRole('button', { name: 'Model: mock-large' })).toBeVisible();
});

test('the theme follows the system until one is chosen', async ({ page, mock }) => {
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.goto(mock.url);
  const dark = await background();
  await page.emulateMedia({ colorScheme: 'light' });
  expect(await background()).toBe('rgb(255, 255, 255)');
  await page.getByRole('button', { name: 'Settings', exact: true }).click();
  await page.getByText('Dark', { exact: true }).click();
  await expect.poll(background).toBe(dark);
  await page.reload();
  await expect.poll(background).toBe(dark);
});

test('files are picked, dropped and pasted, shown, removed and sent', async ({ page, mock }) => {
  await page.goto(mock.url);
  const file = (name: string, text: string) => ({ name, mimeType: 'text/plain', buffer: Buffer.from(text) });
  await page.getByLabel('Text files', { exact: true }).setInputFiles([file('a.rs', 'fn a() {}'), file('big.txt', 'x'.repeat(300_000))]);
  await expect(page.getByText('big.txt: 293 KiB, at most 256 KiB are taken')).toBeVisible();
  for (const type of ['drop', 'paste'] as const) {
    await field(page).evaluate((target, type) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([`by ${type}`], `${type}.txt`, { type: 'text/plain' }));
      const init = { bubbles: true, cancelable: true };
      target.dispatchEvent(type === 'drop' ? new DragEvent('drop', { ...init, dataTransfer: transfer }) : new ClipboardEvent('paste', { ...init, clipboardData: transfer }));
    }, type);
    await expect(page.getByText(`${type}.txt`)).toBeVisible();
  }
  await page.getByRole('button', { name: 'Remove drop.txt' }).click();
  await page.getByRole('button', { name: 'Show paste.txt' }).click();
  await expect(page.getByRole('dialog')).toContainText('by paste');
  await page.keyboard.press('Escape');
  await say(page, 'What is this?');
  await settled(page);
  expect(mock.requests[0].messages[0].content).toBe(
    'File `a.rs`:\n\n```rs\nfn a() {}\n```\n\nFile `paste.txt`:\n\n```txt\nby paste\n```\n\nWhat is this?',
  );
  await expect(questions(page).getByRole('button', { name: 'Show a.rs' })).toBeVisible();
  await expect(answers(page)).toHaveCount(1);
});
