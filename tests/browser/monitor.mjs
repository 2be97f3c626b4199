// Watches the monitor's page while the dashboard is under load: live, by keyboard, and accessible.
//
//   node monitor.mjs PROGRAM BROWSER
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { dashboard, step, stop, stopAll } from "./tools.mjs";

const [program, executablePath] = process.argv.slice(2);
const axe = createRequire(import.meta.url)("axe-core").source;
const ROUTE = "/api/recommendations/{candidate}";

// A page that complains about nothing, and asks nobody but the dashboard.
async function visit(browser, url, options = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.complaints = [];
  page.on("pageerror", error => page.complaints.push(String(error)));
  page.on("console", message => message.type() === "error" && page.complaints.push(message.text()));
  page.on("request", request => assert.ok(request.url().startsWith(url + "/") || request.url().startsWith("data:"), request.url()));
  const response = await page.goto(url + "/keep", { waitUntil: "commit" });
  assert.match(response.headers()["content-security-policy"], /^default-src 'none'/);
  assert.ok((await response.body()).length < 60 * 1024, "under 60 KB");
  await says(page, "#state", /^Live$/);
  return page;
}

const says = (page, selector, words) => page.waitForFunction(
  ([selector, source]) => new RegExp(source).test(document.querySelector(selector)?.textContent || ""), [selector, words.source]);
const row = page => page.locator("#classes > tbody > tr", { hasText: ROUTE }).first();

// Requests as fast as they are answered, until told to stop.
function load(url) {
  let isOver = false;
  const over = (async () => {
    for (let number = 0; !isOver; number += 1) {
      await (await fetch(url + "/api/recommendations/" + (number % 3 + 1))).arrayBuffer();
      if (number % 50 === 0) await (await fetch(url + "/api/candidates/" + (number % 7 + 1))).arrayBuffer();
    }
  })();
  return () => { isOver = true; return over; };
}

async function empty(browser, url) {
  const page = await visit(browser, url);
  await says(page, "#say", /Nothing has been asked yet/);
  await accessible(page);
  return page;
}

async function live(page) {
  await says(page, "#say", /^The cache answers .* of lookups, and spares/);
  const figures = async () => (await page.textContent("#tiles")) + (await row(page).textContent());
  const before = await figures();
  await page.waitForFunction(before => document.querySelector("#tiles").textContent.trim() && !before.includes(document.querySelector("#tiles").textContent), before);
  assert.notEqual(await figures(), before);
  await row(page).getByText("Excellent").waitFor({ timeout: 60000 });
  await row(page).getByText("Worth it", { exact: true }).waitFor();
}

// The class is reached, opened and closed without a mouse, and stays in focus while figures change.
async function byKeyboard(page) {
  const focused = () => page.evaluate(() => document.activeElement.dataset.key || "");
  await page.evaluate(() => document.activeElement.blur());
  for (let presses = 0; !(await focused()).endsWith(ROUTE); presses += 1) {
    assert.ok(presses < 60, "the class is not reached");
    await page.keyboard.press("Tab");
  }
  await page.keyboard.press("Enter");
  const button = row(page).getByRole("button");
  assert.equal(await button.getAttribute("aria-expanded"), "true");
  const detail = page.locator("#" + await button.getAttribute("aria-controls"));
  for (const words of ["What became of the requests", "How long they took", "If responses lived longer", "The ledger"])
    await detail.getByText(words).waitFor();
  await detail.getByRole("img", { name: /^Hits take .* in the median; the origin takes/ }).waitFor();
  const shown = await page.textContent("#up");
  await page.waitForFunction(shown => document.querySelector("#up").textContent !== shown, shown);
  assert.ok((await focused()).endsWith(ROUTE), "the focus was lost");
  await page.keyboard.press("Enter");
  assert.equal(await button.getAttribute("aria-expanded"), "false");
  await page.keyboard.press("Enter");
}

async function accessible(page) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    // By the tool that drives the browser, which no policy holds back.
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run());
    assert.deepEqual(violations.map(({ id, nodes }) => [id, colorScheme, nodes[0].html]), []);
  }
}

async function narrow(browser, url) {
  const page = await visit(browser, url, { viewport: { width: 360, height: 780 } });
  await row(page).getByRole("button").click();
  await page.locator(".detail").getByText("The ledger").waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360, "nothing is cut off");
  await accessible(page);
  assert.deepEqual(page.complaints, []);
  await page.context().close();
}

async function lostAndFound(page, server, directory, port) {
  await stop(server);
  await says(page, "#state", /^Connection lost since \d\d:\d\d:\d\d, trying again$/);
  await accessible(page);
  await dashboard(program, directory, "--listen", "127.0.0.1:" + port);
  await says(page, "#state", /^Live$/);
  await says(page, "#say", /Nothing has been asked yet/);
}

const directory = await mkdtemp(join(tmpdir(), "dashboard-"));
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
try {
  const { url, server } = await dashboard(program, directory, "--warm-up", "1", "--limit-per-second", "100000");
  const page = await step("the monitor before there is traffic", empty(browser, url));
  const finish = load(url);
  await step("its figures change under load", live(page));
  await step("a class by keyboard", byKeyboard(page));
  await step("nothing to complain about, light and dark", accessible(page));
  await step("on a narrow screen", narrow(browser, url));
  await finish();
  assert.deepEqual(page.complaints, [], "nothing was complained about");
  await step("a connection lost and found", lostAndFound(page, server, directory, new URL(url).port));
} finally {
  await browser.close();
  await stopAll();
  await rm(directory, { recursive: true, force: true });
}
