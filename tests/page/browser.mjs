// A person's whole way through the page in Debian's Chromium: both languages, with and without JavaScript, on a phone and on a desk; axe-core
// finds nothing; hostile HTML mail runs no script and reaches nobody.
// usage: node browser.mjs JSON    (run in the folder of tests/npm's packages) JSON: {url, chromium, shots, hostile: [ids]}
import { chromium } from "playwright-core";
import axe from "axe-core";
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";

const task = JSON.parse(process.argv[2]);
const words = {
  fr: { complete: "Recherche complète", read: "Lire le texte", capacity: "Capacité", status: "État", thread: "Fil", exporting: "Exporter", download: "Télécharger", narrow: "Affiner", none: "Aucun message", wrong: "pas été comprise" },
  en: { complete: "Search is complete", read: "Read the text", capacity: "Capacity", status: "Status", thread: "Thread", exporting: "Export", download: "Download", narrow: "Narrow down", none: "No mail", wrong: "not understood" },
};
const screens = { desk: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } };

let passed = 0;
const failures = [];
async function check(name, what) {
  try {
    await what();
    passed += 1;
  } catch (error) {
    failures.push(`${name}: ${error.stack}`);
  }
}

const browser = await chromium.launch({ executablePath: task.chromium, args: ["--no-sandbox"] });

async function open(options) {
  const context = await browser.newContext({ acceptDownloads: true, ...options });
  const page = await context.newPage();
  page.complaints = [];
  page.on("console", (message) => message.type() === "error" && page.complaints.push(message.text()));
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  return page;
}

// Looked at from outside, so that the page's own policy stays in force.
async function accessible(page, where) {
  await page.evaluate(axe.source);
  const result = await page.evaluate(() => globalThis.axe.run(document, { iframes: false }));
  const found = result.violations.map((each) => `${each.id}: ${each.help}: ${each.nodes.map((node) => node.html).slice(0, 3).join(" | ")}`);
  assert.deepEqual(found, [], where);
}

async function way(language, js, screen) {
  const name = `${language} ${js ? "with" : "without"} JavaScript, ${screen}`;
  const w = words[language];
  const page = await open({ locale: language === "fr" ? "fr-FR" : "en-GB", javaScriptEnabled: js, viewport: screens[screen] });
  const look = async (what) => {
    if (task.shots) await page.screenshot({ path: path.join(task.shots, `${language}-${js ? "js" : "plain"}-${screen}-${what}.png`) });
    if (js) await accessible(page, `${name}, ${what}`);
    // Nothing wider than the screen: no sideways scrolling.
    if (js) assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth + 1), `${name}, ${what}: wider than the screen`);
  };
  await page.goto(task.url);
  assert.equal(await page.locator("html").getAttribute("lang"), language);
  await look("start");

  await page.fill("#q", "commande dupont");
  await page.press("#q", "Enter");
  await page.waitForURL(/q=commande/);
  assert.match(await page.locator(".summary").innerText(), /36/);
  assert.match(await page.locator(".summary").innerText(), new RegExp(w.complete));
  assert.equal(await page.locator(".chip").count(), 2);
  assert.ok((await page.locator(".snippet mark, .subject").count()) > 0);
  await look("results");

  // Narrow by a facet.
  if (screen === "phone") {
    assert.ok(!(await page.locator(".side").isVisible()));
    await page.locator("label.narrow").click();
  }
  const facet = page.locator(".facet li a", { hasText: "claire@dupont.example" });
  await facet.waitFor({ state: "visible" });
  await facet.click();
  await page.waitForURL(/from%3Aclaire/);
  assert.match(await page.locator(".summary").innerText(), /24/);
  assert.equal(await page.locator(".chip").count(), 3);

  // Open one; the list stays beside it where there is room.
  await page.locator(".hit-link").first().click();
  await page.waitForURL(/open=/);
  assert.match(await page.locator("article.mail h1").innerText(), /Commande dupont/);
  assert.equal(await page.locator(".results").isVisible(), screen === "desk");
  await look("mail");

  // Read the thread.
  await page.getByRole("link", { name: w.thread, exact: true }).click();
  await page.waitForURL(/\/thread\//);
  assert.equal(await page.locator(".exchange > li").count(), 3);
  assert.equal(await page.locator(".exchange details[open]").count() >= 1, true);
  await page.locator(".exchange details:not([open]) summary").first().click();
  await look("thread");

  // Read an attachment.
  await page.goto(`${task.url}/?q=${encodeURIComponent("has:attachment livraison-oliveira")}`);
  await page.locator(".hit-link").first().click();
  await page.getByRole("link", { name: w.read }).click();
  await page.waitForURL(/\/text\//);
  assert.match(await page.locator(".body").innerText(), /livraison-oliveira;1/);
  await look("attachment");

  // Export a selection and a whole result.
  for (const whole of [false, true]) {
    await page.goto(`${task.url}/?q=oliveira`);
    if (!whole) {
      await page.locator(".pick").nth(0).check();
      await page.locator(".pick").nth(1).check();
    }
    await page.locator("details.export summary").click();
    if (!whole) await (js ? page.locator("#x-some").isChecked() : page.locator("#x-some").check());
    await page.fill("#x-reason", "contrôle");
    if (!whole) await look("export");
    await page.locator("#export button").click();
    await page.waitForURL(/\/exports\//, { timeout: 10_000, waitUntil: "commit" });
    const link = page.locator("a.button");
    await link.waitFor({ timeout: 15_000 });
    const [download] = await Promise.all([page.waitForEvent("download"), link.click()]);
    const bytes = await readFile(await download.path());
    assert.equal(bytes.subarray(0, 2).toString("latin1"), "PK");
    const count = bytes.toString("latin1").split("messages/2").length;
    assert.ok(whole ? count > 36 : count < 12, String(count));
    if (whole) await look("exported");
  }

  // Nothing found, and not understood.
  await page.goto(`${task.url}/?q=zzqqzz`);
  assert.match(await page.locator(".results").innerText(), new RegExp(w.none));
  await look("none");
  await page.goto(`${task.url}/?q=${encodeURIComponent("fromm:paul")}`);
  assert.match(await page.locator(".problem").innerText(), new RegExp(w.wrong));
  assert.match(await page.locator(".problem").innerText(), /from/);
  await look("wrong");

  // Capacity and status.
  await page.getByRole("link", { name: w.capacity, exact: true }).click();
  assert.ok(await page.locator("svg").first().isVisible());
  await look("capacity");
  await page.getByRole("link", { name: w.status, exact: true }).click();
  assert.ok((await page.locator("table tr").count()) > 3);
  await look("status");

  // The other language, and it stays.
  await page.locator(".pages a[hreflang]").click();
  const other = language === "fr" ? "en" : "fr";
  assert.equal(await page.locator("html").getAttribute("lang"), other);
  await page.goto(task.url);
  assert.equal(await page.locator("html").getAttribute("lang"), other);
  const expected = page.complaints.filter((each) => !/status of 400/.test(each));  // the query that is not understood
  assert.deepEqual(expected, [], name);
  await page.context().close();
}

for (const language of ["fr", "en"])
  for (const js of [true, false])
    for (const screen of Object.keys(screens)) await check(`${language} ${js} ${screen}`, () => way(language, js, screen));

await check("dark", async () => {
  const page = await open({ colorScheme: "dark", locale: "fr-FR", viewport: screens.desk });
  for (const [what, target] of [["results", "/?q=commande"], ["start", "/"], ["capacity", "/capacity"], ["status", "/status"]]) {
    await page.goto(task.url + target);
    await accessible(page, `dark ${what}`);
    if (task.shots) await page.screenshot({ path: path.join(task.shots, `dark-${what}.png`) });
  }
  await page.goto(`${task.url}/?q=commande`);
  await page.locator(".hit-link").first().click();
  await accessible(page, "dark mail");
  await page.context().close();
});

await check("large letters", async () => {
  // 400 % on a 1280 pixel screen is a screen of 320.
  const page = await open({ locale: "fr-FR", viewport: { width: 320, height: 480 } });
  for (const target of ["/", "/?q=commande", "/capacity", "/status"]) {
    await page.goto(task.url + target);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth + 1), target);
  }
  await page.context().close();
});

await check("keyboard", async () => {
  const page = await open({ locale: "fr-FR", viewport: screens.desk });
  await page.goto(`${task.url}/?q=commande`);
  await page.locator("#q").blur();
  await page.keyboard.press("j");
  await page.keyboard.press("j");
  assert.equal(await page.evaluate(() => [...document.querySelectorAll(".hit-link")].indexOf(document.activeElement)), 1);
  await page.keyboard.press("k");
  await page.keyboard.press("Enter");
  await page.waitForURL(/open=/);
  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.activeElement.id), "q");
  await page.keyboard.type("jk");
  assert.match(await page.inputValue("#q"), /jk/);
  await page.goto(`${task.url}/capacity`);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  await page.context().close();
});

await check("hostile HTML", async () => {
  const page = await open({ locale: "fr-FR", viewport: screens.desk });
  const reached = [], dialogs = [];
  page.on("dialog", async (dialog) => {
    dialogs.push(dialog.message());
    await dialog.dismiss();
  });
  page.context().on("page", (fresh) => fresh !== page && reached.push(`a new window: ${fresh.url()}`));
  await page.context().route("**/*", async (route) => {
    const url = route.request().url();
    if (url.startsWith(task.url) || url.startsWith("data:") || url === "about:srcdoc" || url === "about:blank") return route.continue();
    reached.push(url);
    return route.abort();
  });
  let shown = 0;
  for (const id of task.hostile) {
    await page.goto(`${task.url}/message/${id}?view=html`);
    const title = await page.title();
    const frame = page.frames().find((each) => each.url().includes("/preview/"));
    assert.ok(frame, id);
    await frame.waitForLoadState("load");
    // Scripts that waited, and what a reader does: move over it, click in the middle.
    const box = await page.locator("iframe.preview").boundingBox();
    await page.mouse.move(box.x + 60, box.y + 25);
    await page.mouse.click(box.x + 60, box.y + 25);
    await page.waitForTimeout(20);
    if ((await page.title()) !== title || !page.url().startsWith(`${task.url}/message/${id}`)) reached.push(`${id} changed the page`);
    const live = await frame.evaluate(() => document.querySelectorAll("script,iframe,object,embed,form,meta[http-equiv],link,base,svg,math").length + [...document.querySelectorAll("*")].filter((each) => [...each.attributes].some((attribute) => /^on/i.test(attribute.name))).length);
    if (live !== 0) reached.push(`${id} kept ${live} live elements`);
    shown += /marker/.test(await frame.evaluate(() => document.body.innerText)) ? 1 : 0;
  }
  assert.deepEqual(reached, []);
  assert.deepEqual(dialogs, []);
  assert.equal(shown, task.hostile.length, "the words of each mail are still there");
  console.log(`hostile HTML mails: ${task.hostile.length}, scripts run: ${dialogs.length}, requests that left the page: ${reached.length}`);
  await page.context().close();
});

await browser.close();
for (const failure of failures) console.log(`FAILED ${failure}`);
console.log(`${passed} passed, ${failures.length} failed`);
process.exit(failures.length === 0 ? 0 : 1);
