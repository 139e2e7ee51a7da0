// What goes wrong is said in words, nothing typed is lost, and there is a way on.
import { answers, expect, field, questions, say, settled, test } from '../fixtures.ts';

test.use({ refusals: true });

test('a failed answer is asked again in its place', async ({ page, mock }) => {
  await page.goto(mock.url);
  await say(page, 'fail once');
  await expect(page.getByRole('alert').filter({ hasText: 'The server failed' })).toContainText('the model fell over');
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(answers(page)).toContainText('Answer 2 to: fail once');
  await expect(answers(page).getByRole('alert')).toHaveCount(0);
  await expect(answers(page)).toHaveCount(1);
});

const refused: [string, RegExp, RegExp][] = [
  ['busy', /The server is busy; try again in 2 s/, /the queue is full/],
  ['too long', /longer than the model’s context/, /5000 tokens, the context 4096/],
];
for (const [question, title, detail] of refused) {
  test(`"${question}" is explained`, async ({ page, mock }) => {
    await page.goto(mock.url);
    await say(page, question);
    await expect(answers(page)).toContainText(title);
    await expect(answers(page)).toContainText(detail);
    await expect(questions(page)).toContainText(question);
  });
}

for (const [question, words] of [['break', 'the model ran out of memory'], ['vanish', /cannot be reached|closed before/]] as const) {
  test(`an answer that ends early ("${question}") keeps what came and goes on`, async ({ page, mock }) => {
    await page.goto(mock.url);
    await say(page, `${question} after some words of a sentence`);
    await expect(answers(page).getByRole('alert')).toContainText(words);
    await expect(answers(page).locator('.prose')).toContainText('Answer 1 to:');
    await page.getByRole('button', { name: 'Try again' }).click();
    await expect(answers(page)).toContainText('and this is the rest.');
  });
}

test('a model that loads is waited for', async ({ page, mock }) => {
  mock.health = 503;
  await page.goto(mock.url);
  await expect(page.getByText('The model is being loaded…')).toBeVisible();
  await field(page).fill('Hello');
  await expect(page.getByRole('button', { name: 'Send' })).toBeDisabled();
  mock.health = 200;
  await expect(page.getByRole('button', { name: 'Send' })).toBeEnabled();
  await expect(page.getByText('The model is being loaded…')).toHaveCount(0);
});

test('a server that went away is looked for, and the question is kept', async ({ page, mock }) => {
  await page.goto(mock.url);
  await expect(page.getByRole('button', { name: /^Model:/ })).toBeVisible();
  await field(page).fill('Hello');
  await page.route('**/v1/**', (route) => route.abort());
  await page.route('**/health', (route) => route.abort());
  await field(page).press('Enter');
  await expect(answers(page)).toContainText('The server cannot be reached');
  await expect(page.getByText('Trying again…')).toBeVisible();
  await page.unrouteAll();
  await expect(page.getByText('Trying again…')).toHaveCount(0);
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(answers(page)).toContainText('Answer 1 to: Hello');
});

test.describe('behind a key', () => {
  test.use({ serverOptions: { key: 'sesame' } });
  test('the page asks for it, says when it is wrong, and keeps it', async ({ page, mock }) => {
    await page.goto(mock.url);
    const key = page.getByLabel('This server asks for a key');
    await key.fill('wrong');
    await page.getByRole('button', { name: 'Unlock' }).click();
    await expect(page.getByText('does not accept this key')).toBeVisible();
    await key.fill('sesame');
    await page.keyboard.press('Enter');
    await expect(key).toHaveCount(0);
    await say(page, 'Hello');
    await settled(page);
    await expect(answers(page)).toContainText('Answer 1');
    await page.reload();
    await expect(page.getByRole('button', { name: 'Model: mock-small' })).toBeVisible();
  });
});
