// Looks at reports of runs in a real Chromium: `node look.mjs RUN... [--shots FOLDER] [--live ADDRESS]`. Each run is the folder of one, with
// report.html and metrics.jsonl. `CHROMIUM` names the program, else /usr/bin/chromium.
//
// Checked at three widths, light and dark: nothing is written to the console, nothing is asked of anybody, no label of a drawing lies over
// another, no words stick out of their box, nothing is wider than the page, text stands out from what is behind it by 4.5 to 1; numbers equal those of metrics.jsonl; all
// text is there without the program; curves answer to pointer and keys; a page is not cut off in print.

import { readFileSync, mkdirSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { chromium } from 'playwright-core';

const WIDTHS = [360, 800, 1400];
const args = process.argv.slice(2);
const take = name => {
  const at = args.indexOf(name);
  return at < 0 ? null : args.splice(at, 2)[1];
};
const shots = take('--shots');
const live = take('--live');
if (shots) mkdirSync(shots, { recursive: true });

const faults = [];
let facts = 0;
const check = (holds, what) => {
  facts += 1;
  if (!holds) faults.push(what);
};

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });

async function open(address, options, where, allowed = () => false) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.on('console', message => check(false, `${where}: the console says: ${message.text()}`));
  page.on('pageerror', error => check(false, `${where}: an error: ${error.message}`));
  page.on('request', request => {
    const url = request.url();
    if (url !== address && !url.startsWith('data:') && !allowed(url)) check(false, `${where}: a request: ${url.slice(0, 200)}`);
  });
  await page.goto(address);
  return { context, page };
}

// What is measured inside the page: the faults in words.
function measure() {
  const found = [];
  const wide = document.documentElement.scrollWidth;
  if (wide > innerWidth) found.push(`the page is ${wide} wide in a window of ${innerWidth}`);
  // Labels of drawings.
  document.querySelectorAll('svg').forEach((svg, i) => {
    const labels = [...svg.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()]).filter(([, b]) => b.width > 0);
    labels.forEach(([a, p], k) => labels.slice(k + 1).forEach(([b, q]) => {
      const [w, h] = [Math.min(p.right, q.right) - Math.max(p.left, q.left), Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top)];
      // Boxes of lines of text hold a little air.
      if (w > 0.5 && h > 2) found.push(`drawing ${i}: "${a}" and "${b}" overlap by ${w.toFixed(1)} × ${h.toFixed(1)}`);
    }));
    labels.forEach(([a, p]) => {
      if (p.left < -0.5 || p.right > innerWidth + 0.5) found.push(`drawing ${i}: "${a}" lies outside the window`);
    });
  });
  // Words that stick out of their box lie over what stands beside it.
  document.querySelectorAll('main dd,main dt,main p,main li,main td,main th,main figcaption,main h1,main h2,main h3,main summary').forEach(e => {
    if (e.clientWidth > 0 && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).overflowX === 'visible') {
      found.push(`"${e.textContent.trim().slice(0, 40)}" (${e.tagName}) is ${e.scrollWidth} wide in a box of ${e.clientWidth}`);
    }
  });
  // Contrast, by WCAG 2.1.
  const probe = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const parse = color => {
    probe.clearRect(0, 0, 1, 1);
    probe.fillStyle = color;
    probe.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = probe.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3]));
  const light = c => {
    const [r, g, b] = c.map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = element => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      layers.push(c);
      if (c[3] === 1) break;
    }
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const seen = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const e = node.parentElement;
    if (!node.data.trim() || e.closest('script,style,noscript') || e.getClientRects().length === 0) continue;
    const style = getComputedStyle(e), ground = behind(e);
    const ink = over(parse(e instanceof SVGElement ? style.fill : style.color), ground);
    let opacity = 1;
    for (let p = e; p; p = p.parentElement) opacity *= Number(getComputedStyle(p).opacity);
    const [a, b] = [light(over([...ink, opacity], ground)), light(ground)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) seen.add(`contrast ${ratio.toFixed(2)} of "${node.data.trim().slice(0, 40)}" (${e.tagName} ${e.className.baseVal ?? e.className})`);
  }
  return [...found, ...[...seen].slice(0, 20)];
}

for (const run of args) {
  const address = `file://${encodeURI(resolve(run, 'report.html'))}`;
  const rows = readFileSync(join(run, 'metrics.jsonl'), 'utf8').split('\n').filter(line => line.trim()).map(line => JSON.parse(line));
  for (const colorScheme of ['light', 'dark']) for (const width of WIDTHS) {
    const where = `${basename(run)} at ${width}, ${colorScheme}`;
    const { context, page } = await open(address, { viewport: { width, height: 900 }, colorScheme }, where);
    for (const fault of await page.evaluate(measure)) check(false, `${where}: ${fault}`);
    facts += 3;
    if (shots) await page.screenshot({ path: join(shots, `${basename(run)}-${width}-${colorScheme}.png`), fullPage: true });
    // Everything unfolded.
    await page.evaluate(() => document.querySelectorAll('details').forEach(d => { d.open = true; }));
    for (const fault of await page.evaluate(measure)) check(false, `${where}, unfolded: ${fault}`);
    facts += 3;
    await context.close();
  }

  const where = basename(run);
  const { context, page } = await open(address, { viewport: { width: 1400, height: 900 }, colorScheme: 'light' }, where);
  // Numbers: each of the history, with all its digits.
  const shown = await page.evaluate(() => [...document.querySelectorAll('table.history tbody tr')].map(tr =>
    [tr.querySelector('th').textContent, Object.fromEntries([...tr.querySelectorAll('[data-column]')].map(td => [td.dataset.column, td.dataset.value]))]));
  check(shown.length > 0 && shown.length <= rows.length, `${where}: ${shown.length} rows of numbers for ${rows.length} epochs`);
  for (const [epoch, values] of shown) {
    const row = rows.find(row => String(row.epoch) === epoch);
    check(row, `${where}: epoch ${epoch} is not in metrics.jsonl`);
    for (const [column, value] of Object.entries(values)) {
      // What is no number in JSON is null there.
      check(row[column] === Number(value) || (row[column] === null && !Number.isFinite(Number(value))), `${where}: ${column} of epoch ${epoch} is ${value} here and ${row[column]} there`);
    }
    const missing = Object.keys(row).filter(key => !(key in values) && !['epoch', 'step', 'seconds', 'samples_per_second', 'samples/s', 'waiting', 'time'].includes(key));
    check(missing.length === 0, `${where}: ${missing} of epoch ${epoch} is not shown`);
  }
  // The points of a curve stand where the epochs are, and the pointer shows the numbers of the table.
  const plots = await page.$$('[data-chart]');
  check(plots.length > 0, `${where}: no chart`);
  for (const plot of plots) {
    await plot.scrollIntoViewIfNeeded();
    const box = await (await plot.$('svg')).boundingBox();
    await page.mouse.move(box.x + box.width * 0.6, box.y + box.height * 0.5);
    const said = await plot.$eval('.tip', tip => tip.hidden ? '' : tip.innerText);
    check(/\d/.test(said), `${where}: the pointer shows nothing`);
    await page.mouse.move(0, 0);
    check(await plot.$eval('.tip', tip => tip.hidden), `${where}: the numbers stay when the pointer has left`);
    await plot.focus();
    await page.keyboard.press('Home');
    const first = await plot.$eval('.tip', tip => tip.innerText);
    await page.keyboard.press('End');
    const last = await plot.$eval('.tip', tip => tip.innerText);
    check(/\d/.test(first) && (rows.length < 2 || first !== last), `${where}: keys show nothing`);
    await page.keyboard.press('Escape');
  }
  // The switch.
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const before = await paper();
  await page.click('#theme');
  check(await paper() !== before, `${where}: the switch changes nothing`);
  for (const fault of await page.evaluate(measure)) check(false, `${where}, switched: ${fault}`);
  await page.click('#theme');
  check(await paper() === before, `${where}: the switch does not go back`);
  const text = page => page.evaluate(() => document.querySelector('main').textContent.replace(/\s+/g, ' '));
  const whole = await page.evaluate(() => {
    const main = document.querySelector('main').cloneNode(true);
    main.querySelectorAll('.tip').forEach(tip => tip.remove());
    return main.textContent.replace(/\s+/g, ' ');
  });
  // Pictures were read, and are not blurred.
  const pictures = await page.evaluate(() => [...document.images].map(i => [i.naturalWidth, getComputedStyle(i).imageRendering]));
  check(pictures.every(([w, how]) => w > 0 && how === 'pixelated'), `${where}: a picture is damaged or blurred`);
  // Every link leads somewhere, and every picture and table says what it is.
  const nameless = await page.evaluate(() => [...document.querySelectorAll('img:not([alt]),[role=img]:not([aria-label]),[role=region]:not([aria-label]),button:empty')].map(e => e.outerHTML.slice(0, 80)));
  check(nameless.length === 0, `${where}: without a name: ${nameless}`);
  // In print all is light, and nothing is cut off at the right.
  await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
  await page.setViewportSize({ width: 720, height: 1000 });
  check(await paper() === 'rgb(255, 255, 255)' || await paper() === 'rgba(0, 0, 0, 0)', `${where}: prints on ${await paper()}`);
  const cut = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
  check(!cut, `${where}: is cut off in print`);
  if (shots) await page.pdf({ path: join(shots, `${where}.pdf`), format: 'A4' });
  await context.close();

  const plain = await open(address, { viewport: { width: 800, height: 900 }, javaScriptEnabled: false }, `${where} without program`);
  // The browser itself can still be asked.
  check(await text(plain.page) === whole, `${where}: text is missing without the program`);
  if (shots) await plain.page.screenshot({ path: join(shots, `${where}-noscript.png`), fullPage: true });
  await plain.context.close();
}

// A page that follows a training, until that ends.
if (live) {
  const where = 'the live page';
  const { context, page } = await open(live, { viewport: { width: 1000, height: 900 } }, where, url => url.startsWith(`${live}data?v=`));
  await page.waitForFunction(() => document.querySelectorAll('[data-chart] svg').length > 0, null, { timeout: 240_000 });
  const then = await page.evaluate(() => document.querySelectorAll('table.history tbody tr').length);
  for (const fault of await page.evaluate(measure)) check(false, `${where}: ${fault}`);
  if (shots) await page.screenshot({ path: join(shots, 'live.png'), fullPage: true });
  await page.waitForFunction(() => document.getElementById('live-text').textContent.startsWith('The training has ended'), null, { timeout: 240_000 });
  const now = await page.evaluate(() => [document.querySelectorAll('table.history tbody tr').length, document.getElementById('result') !== null]);
  check(now[0] > then, `${where}: it did not grow: ${then} epochs, then ${now[0]}`);
  check(now[1], `${where}: the report of the end is not shown`);
  for (const fault of await page.evaluate(measure)) check(false, `${where} at the end: ${fault}`);
  await context.close();
}
await browser.close();

faults.forEach(fault => console.log(`FAILED: ${fault}`));
console.log(`${args.length} reports${live ? ' and a live page' : ''}: ${facts} facts, ${faults.length} faults`);
process.exit(faults.length > 0 ? 1 : 0);
