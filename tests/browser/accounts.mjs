// Signs in and out of the dashboard as people do: with a browser.
//
//   node accounts.mjs PROGRAM BROWSER
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pass } from "node:timers/promises";
import { chromium } from "playwright-core";
import { dashboard, step, stopAll } from "./tools.mjs";

const [program, executablePath] = process.argv.slice(2);
const COOKIE = "__Host-id";
// A device of its own: other cookies, another name.
async function device(browser, name, url) {
  const context = await browser.newContext({ userAgent: name });
  const page = await context.newPage();
  page.on("pageerror", error => assert.fail(`${name}: ${error}`));
  page.on("console", message => assert.doesNotMatch(message.text(), /Content Security Policy/));
  await page.goto(url, { waitUntil: "commit" });
  return page;
}

const visible = (page, selector) => page.waitForSelector(selector, { state: "visible" });
const signedOut = page => visible(page, "#sign-in");
const ticket = async page => (await page.context().cookies()).find(cookie => cookie.name === COOKIE);
const again = page => page.reload({ waitUntil: "commit" });

async function signIn(page, email = "demo@example.com", password = "demo") {
  await signedOut(page);
  await page.fill("#email", email);
  await page.fill("#password", password);
  await page.click("#sign-in button");
}
async function signedIn(page, email = "demo@example.com") {
  await visible(page, "#signed-in");
  assert.ok((await page.textContent("#who-else")).startsWith(email));
}
const devices = page => page.locator("#devices .main").allTextContents();

async function loginAndNavigation(browser, url) {
  const page = await device(browser, "laptop", url);
  await signedOut(page);
  assert.equal(await page.inputValue("#email"), "demo@example.com", "the demo account is filled in");
  assert.equal(await ticket(page), undefined, "a visit gets no cookie");
  await page.click("#sign-in button");
  await signedIn(page);
  const { name, path, domain, secure, httpOnly, sameSite } = await ticket(page);
  assert.deepEqual({ name, path, domain, secure, httpOnly, sameSite }, {
    name: COOKIE, path: "/", domain: "127.0.0.1", secure: true, httpOnly: true, sameSite: "Lax" });
  assert.equal(await page.evaluate(() => document.cookie), "", "no script sees the cookie");
  await page.click("text=My candidates");
  await page.waitForURL("**/recruiter");
  assert.match(await page.textContent("#whose"), /demo@example\.com/);
  await page.click("text=Dashboard");
  await signedIn(page);
  await again(page);
  await signedIn(page);
  return page;
}

async function logout(page, url) {
  const kept = await ticket(page);
  await page.click("#logout");
  await signedOut(page);
  assert.equal(await ticket(page), undefined, "the browser took the removal");
  await page.context().addCookies([kept]);
  await again(page);
  await signedOut(page);
  await page.goto(url + "/recruiter", { waitUntil: "commit" });
  await page.waitForURL("**/#account");
  await page.context().clearCookies();
  await signIn(page, "demo@example.com", "wrong");
  await page.waitForSelector("#account-problem:not(:empty)");
  await signIn(page);
  await signedIn(page);
}

async function secondDevice(browser, laptop, url) {
  const phone = await device(browser, "phone", url);
  await signIn(phone);
  await signedIn(phone);
  await again(laptop);
  await visible(laptop, "#devices li:nth-child(2)");
  const listed = await devices(laptop);
  assert.ok(listed[0].startsWith("laptop") && listed[1].startsWith("phone"), String(listed));
  await laptop.click("#devices li:nth-child(2) button");
  await laptop.waitForSelector("#devices li:nth-child(2)", { state: "detached" });
  await signedIn(laptop);
  await again(phone);
  await signedOut(phone);
  await signIn(phone);
  await signedIn(phone);
  return phone;
}

async function ownPages(browser, laptop, url) {
  const other = await device(browser, "other", url);
  await signIn(other, "second@example.com", "second");
  await signedIn(other, "second@example.com");
  for (const [page, email] of [[laptop, /demo@/], [other, /second@/], [laptop, /demo@/]]) {
    await page.goto(url + "/recruiter");
    assert.match(await page.textContent("#whose"), email);
  }
  await laptop.goto(url, { waitUntil: "commit" });
  await signedIn(laptop);
  return other;
}

// A page of another site that has the browser send a form.
async function foreignForm(laptop, url) {
  const site = createServer((_, response) => response.setHeader("content-type", "text/html").end(
    `<form method="post" action="${url}/api/logout-everywhere"><button>Win a prize</button></form>`));
  await new Promise(listens => site.listen(0, "127.0.0.1", listens));
  try {
    await laptop.goto(`http://localhost:${site.address().port}/`);
    const answer = laptop.waitForResponse("**/api/logout-everywhere");
    await laptop.click("button");
    assert.equal((await answer).status(), 403);
  } finally {
    site.close();
  }
  await laptop.goto(url, { waitUntil: "commit" });
  await signedIn(laptop);
}

async function everywhere(laptop, phone, other) {
  await laptop.click("#logout-everywhere");
  await signedOut(laptop);
  await again(phone);
  await signedOut(phone);
  await other.goto(new URL("/", other.url()).href, { waitUntil: "commit" });
  await signedIn(other, "second@example.com");
}

async function expired(browser, url, seconds) {
  const page = await device(browser, "idle", url);
  await signIn(page);
  await signedIn(page);
  // Nothing can be polled here: whoever asks puts the end off.
  await pass(1000 * seconds + 500);
  assert.notEqual(await ticket(page), undefined, "the browser still has its cookie");
  await again(page);
  await signedOut(page);
  await signIn(page);
  await signedIn(page);
}

const directory = await mkdtemp(join(tmpdir(), "dashboard-"));
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
try {
  const { url } = await dashboard(program, directory);
  const laptop = await step("a login, its cookie, navigation", loginAndNavigation(browser, url));
  await step("a logout", logout(laptop, url));
  const phone = await step("a second device, listed and revoked", secondDevice(browser, laptop, url));
  const other = await step("each recruiter's own page", ownPages(browser, laptop, url));
  await step("a form of another site", foreignForm(laptop, url));
  await step("a logout everywhere", everywhere(laptop, phone, other));
  const idle = 3;
  const { url: impatient } = await dashboard(program, directory, "--idle-timeout", String(idle));
  await step("a session that expired", expired(browser, impatient, idle));
} finally {
  await browser.close();
  await stopAll();
  await rm(directory, { recursive: true, force: true });
}
