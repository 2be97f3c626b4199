// What the monitor's page makes of figures that are hard to come by: of several processes, on a threshold, with
// names that would be tags.
//
//   node figures.mjs BROWSER
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";
import { step } from "./tools.mjs";

const [executablePath] = process.argv.slice(2);
const html = await readFile(new URL("../../crates/tower-keep-hit-rate/src/page/page.html", import.meta.url));
const axe = createRequire(import.meta.url)("axe-core").source;
const TAG = "<img src=x onerror=document.title=1>";

const windowOf = (hit, miss, interval = [0, 1]) => ({
  seconds: 300, outcomes: { hit, stale: 0, revalidated: 0, collapsed: 0, miss, bypass: 0, error: 0, rejected: 0, cancelled: 0 },
  lookups: hit + miss, hit_rate: hit + miss ? hit / (hit + miss) : null, hit_rate_interval: interval, origin_calls: miss,
  offload: hit / (hit + miss), misses_not_stored: 0, cache_bytes: 1, origin_bytes: 1, bodies_abandoned: 0, bodies_broken: 0,
  ledger: { origin_avoided_ms: 1, cost_ms: 1, saved_ms: 0, saved_ms_per_second: 0, could_save_ms_per_second: 5, break_even_hit_rate: 0.5, unpriced_hits: 0 },
});
const windows = window => ({ minute: window, five_minutes: window, hour: window, since_start: window,
  hit_latency: null, collapsed_latency: null, miss_latency: null, origin_latency: null });
const entry = (name, window, more = {}) => ({ class: name, kind: "http", verdict: "excellent", worth: "worth_it", ladder: [], ...windows(window), ...more });
const one = (id, requests, in_flight, is_this) => ({ id, is_this, uptime_seconds: 900, age_seconds: 0, requests, in_flight });
const busy = windowOf(950, 50, [0.935, 0.962]), both = windowOf(1000, 1000, [0.478, 0.522]), near = windowOf(810, 190, [0.784, 0.833]);
const figures = {
  version: 1, uptime_seconds: 900, requests: 1000, in_flight: 1, evictions: [], curve: [], enough_entries: null,
  hot_keys: [{ key: TAG, requests: 5, error: 0 }],
  classes: [entry("/jobs", busy), entry("/near", near, { verdict: "tune" }), entry("other", busy), entry("other", busy, { kind: "objects" }), entry(TAG, busy)],
  cluster: {
    processes: [one("aaaa", 1000, 1, true), one(TAG, 4000, 2, false)], view_age_seconds: 1, unreachable_seconds: null, ignored: 0,
    classes: ["/jobs", "/elsewhere", TAG].map(name => ({ class: name, kind: "http", ...windows(both) })),
  },
  rules: { tune_below: 0.8, excellent_above: 0.9, least_lookups: 200, warm_up_seconds: 60, worth_from_ms_per_second: 1 },
};

const server = createServer((request, response) => {
  const [body, type] = request.url === "/keep/snapshot" ? [JSON.stringify(figures), "application/json"]
    : request.url === "/keep/events" ? ["data: " + JSON.stringify(figures) + "\n\n", "text/event-stream"] : [html, "text/html; charset=utf-8"];
  response.writeHead(200, { "content-type": type });
  // The stream stays open.
  request.url === "/keep/events" ? response.write(body) : response.end(body);
});
await new Promise(listening => server.listen(0, "127.0.0.1", listening));
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
const page = await browser.newPage();
page.setDefaultTimeout(10000);
const row = (name, nth = 0) => page.locator("#classes > tbody > tr", { has: page.getByRole("button", { name }) }).nth(nth);
const choose = name => page.locator(".choice label", { hasText: name }).click();
const open = async (name, nth = 0) => {
  await row(name, nth).getByRole("button").click();
  const words = await page.locator(".detail .reasons").textContent();
  await row(name, nth).getByRole("button").click();
  return words;
};
try {
  await page.goto("http://127.0.0.1:" + server.address().port + "/keep");
  await page.locator("#state", { hasText: "Live" }).waitFor();
  await step("names are text", (async () => {
    await row(TAG).waitFor();
    assert.equal(await page.locator("img").count(), 0);
    assert.equal(await page.title(), "Hit rate");
    assert.match(await page.textContent("#hot"), /<img/);
    assert.match(await page.textContent("#processes"), /<img/);
  })());
  await step("what stands on a threshold is not said to be beyond it", (async () => {
    const words = await open("/near");
    assert.doesNotMatch(words, /The hit rate is below/);
    assert.match(words, /below 80\s%.*81\.0\s%/);
  })());
  await step("classes of the same name are two", (async () => {
    await row("other").getByRole("button").click();
    assert.equal(await page.locator(".detail").count(), 1);
    await row("other").getByRole("button").click();
  })());
  await step("all processes are all, and judged is this one", (async () => {
    assert.match(await page.textContent("#tiles"), /1,000 since the start, 1 under way/);
    await choose("All processes");
    await row("/elsewhere").waitFor();
    assert.match(await page.textContent("#tiles"), /5,000 since the start, 3 under way/);
    assert.match(await page.textContent("#count"), /^3 classes/);
    assert.match(await page.textContent("#hot"), /this process/);
    assert.match(await page.textContent("#classes thead"), /Verdict here/);
    const words = await open("/jobs");
    assert.match(words, /Judged by this process alone\. The hit rate is above 90\s%: 95\.0\s%/);
    assert.doesNotMatch(words, /50\.0\s%/);
    assert.match(await open("/elsewhere"), /This process has seen no request/);
  })());
  await step("nothing to complain about, light and dark", (async () => {
    await row("/jobs").getByRole("button").click();
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => window.axe.run());
      assert.deepEqual(violations.map(({ id, nodes }) => [id, colorScheme, nodes[0].html]), []);
    }
  })());
} finally {
  await browser.close();
  server.closeAllConnections();
  server.close();
}
