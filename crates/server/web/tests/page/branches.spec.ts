// Versions of questions and answers, side by side.
import { answers, expect, field, questions, say, settled, test } from '../fixtures.ts';

test('edits and further answers are branches, and survive a reload', async ({ page, mock }) => {
  await page.goto(mock.url);
  await say(page, 'Red');
  await settled(page);
  await questions(page).getByRole('button', { name: 'Edit' }).click();
  await expect(page.getByLabel('Edit your message')).toBeFocused();
  await page.getByLabel('Edit your message').fill('Blue');
  await page.keyboard.press('Enter');
  await settled(page);
  await expect(answers(page)).toContainText('Answer 2 to: Blue');
  await expect(questions(page)).toContainText('2 / 2');

  await answers(page).getByRole('button', { name: 'Answer again' }).click();
  await settled(page);
  await expect(answers(page)).toContainText('Answer 3 to: Blue');
  await expect(answers(page)).toContainText('2 / 2');
  await answers(page).getByRole('button', { name: 'Previous answer' }).click();
  await expect(answers(page)).toContainText('Answer 2 to: Blue');
  await questions(page).getByRole('button', { name: 'Previous version' }).click();
  await expect(answers(page)).toContainText('Answer 1 to: Red');

  await page.reload();
  await expect(answers(page)).toContainText('Answer 1 to: Red');
  await questions(page).getByRole('button', { name: 'Next version' }).click();
  await expect(answers(page)).toContainText('Answer 3 to: Blue');
  expect(mock.requests).toHaveLength(3);
  expect(mock.requests[2].messages).toEqual([{ role: 'user', content: 'Blue' }]);
});

test('an edit can be left, and an empty one is not sent', async ({ page, mock }) => {
  await page.goto(mock.url);
  await say(page, 'Red');
  await settled(page);
  await questions(page).getByRole('button', { name: 'Edit' }).click();
  await page.getByLabel('Edit your message').fill('  ');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Escape');
  await expect(questions(page)).toContainText('Red');
  await expect(questions(page).getByRole('button', { name: 'Edit' })).toBeFocused();
  expect(mock.requests).toHaveLength(1);
});

test('a branch is deleted and its neighbour comes on view', async ({ page, mock }) => {
  await page.goto(mock.url);
  await say(page, 'Red');
  await settled(page);
  await answers(page).getByRole('button', { name: 'Answer again' }).click();
  await settled(page);
  await answers(page).getByRole('button', { name: 'Delete from here' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await expect(answers(page)).toContainText('Answer 1 to: Red');
  await expect(answers(page)).not.toContainText('/ 2');
  await page.reload();
  await expect(answers(page)).toContainText('Answer 1 to: Red');
});

test('an answer at its limit goes on', async ({ page, mock }) => {
  await page.goto(mock.url);
  await say(page, 'limit');
  await settled(page);
  await expect(answers(page)).toContainText('reached its limit');
  await page.getByRole('button', { name: 'Continue' }).click();
  await expect(answers(page)).toContainText('limit and this is the rest.');
});

test('an answer goes on in its chat while another is looked at', async ({ page, mock }) => {
  await page.goto(mock.url);
  await say(page, 'slow one');
  await expect(answers(page)).toContainText('One more sentence');
  await page.keyboard.press('Control+Shift+O');
  await expect(page.getByRole('heading', { name: 'What is on your mind?' })).toBeVisible();
  await expect(field(page)).toBeFocused();
  await say(page, 'Quick');
  await expect(answers(page)).toContainText('to: Quick');
  await page.getByRole('button', { name: 'slow one', exact: true }).click();
  const early = (await answers(page).innerText()).length;
  await expect.poll(async () => (await answers(page).innerText()).length).toBeGreaterThan(early);
  await page.keyboard.press('Escape');
  await settled(page);
  await expect(answers(page)).toContainText('Stopped.');
});

test('what was answered before the page closed is there after', async ({ page, mock }) => {
  await page.goto(mock.url);
  await say(page, 'slow one');
  await expect(answers(page)).toContainText('a slow answer.');
  await page.waitForTimeout(1200);
  await page.reload();
  await expect(answers(page)).toContainText('a slow answer.');
  await expect(answers(page)).toContainText('Stopped.');
});
