// Draws a cell for each series and keeps it fresh each second. Only cells whose colour changed are drawn again, so that
// ten thousand of them cost a few milliseconds.
const part = document.getElementById("wall-part");
const canvas = document.getElementById("wall-canvas");
const words = document.getElementById("wall-words");
const cell = document.getElementById("wall-cell");
const heard = document.getElementById("heard");
const levels = 10;
let names = [], values = [], drawn = [], low = 0, high = 1, columns = 1, size = 8, chosen = -1;
let lastNews = 0, source = null, paint = null;
const pen = canvas.getContext("2d", { alpha: false });
const worded = 80; // pixels: larger cells have room for words
let wide = 8, said = [], called = [], face = "sans-serif", turn = 8; // from which level on the words are of the other colour

// shades are the colours of the levels, mixed once: to change the pen for each cell costs more than to draw it.
function colours() {
  // A canvas knows no light-dark(): the browser says what a token is now.
  const part = (name) => { cell.style.color = `var(${name})`; return getComputedStyle(cell).color; };
  const empty = part("--surface-2"), full = part("--s1");
  paint = { ground: part("--bg"), focus: part("--focus"), light: part("--surface"), dark: part("--text"), shades: [] };
  cell.style.color = "";
  face = getComputedStyle(document.body).fontFamily;
  turn = matchMedia("(prefers-color-scheme: dark)").matches ? 6 : 8;
  for (let l = 0; l < levels; l++) paint.shades.push(`color-mix(in srgb, ${full} ${(100 * l) / (levels - 1)}%, ${empty})`);
}

function layout() {
  colours();
  const width = canvas.parentElement.clientWidth, tall = Math.max(240, innerHeight * 0.6), scale = devicePixelRatio || 1;
  size = Math.max(4, Math.min(96, Math.floor(Math.sqrt((width * tall) / Math.max(names.length, 1)))));
  columns = Math.max(1, Math.floor(width / size));
  if (size >= worded) {
    columns = Math.max(1, Math.min(names.length, Math.floor(width / 144)));
    [wide, size] = [Math.min(288, Math.floor(width / columns)), 72];
  } else {
    wide = size;
  }
  if (wide > size) call();
  const rows = Math.max(1, Math.ceil(names.length / columns));
  canvas.width = columns * wide * scale;
  canvas.height = rows * size * scale;
  canvas.style.width = `${columns * wide}px`;
  canvas.style.height = `${rows * size}px`;
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.fillStyle = paint.ground;
  pen.fillRect(0, 0, columns * wide, rows * size);
  drawn = new Array(names.length).fill(-2);
  draw();
}

// level is the colour of a value: -1 where there is none, else 0 to 9.
function level(v) {
  if (v === null || v === undefined) return -1;
  return Math.max(0, Math.min(levels - 1, Math.round(((v - low) / (high - low)) * (levels - 1))));
}

function fill(i) {
  const gap = size > 6 ? 1 : 0;
  pen.fillRect((i % columns) * wide + gap, Math.floor(i / columns) * size + gap, wide - gap, size - gap);
}

// frame marks the chosen cell, or takes the mark away.
function frame(i) {
  pen.fillStyle = i === chosen ? paint.focus : paint.ground;
  pen.fillRect((i % columns) * wide, Math.floor(i / columns) * size, wide, size);
  const l = level(values[i]);
  if (l < 0) return;
  const edge = i === chosen ? (wide > size ? 3 : Math.max(1, Math.floor(size / 6))) : size > 6 ? 1 : 0;
  pen.fillStyle = paint.shades[l];
  pen.fillRect((i % columns) * wide + edge, Math.floor(i / columns) * size + edge, wide - 2 * edge, size - 2 * edge);
  name(i, l);
}

// call names the cells by the labels in which they differ, cut to what has room.
function call() {
  const labels = names.map((n) => n.match(/[^{,]+="[^"]*"/g) ?? []);
  const alike = (pair) => labels.every((l) => l.includes(pair));
  const room = Math.floor((wide - 24) / 7);
  called = labels.map((l, i) => {
    const text = l.filter((pair) => !alike(pair)).map((pair) => pair.slice(pair.indexOf('"') + 1, -1)).join(" ") || names[i];
    return text.length > room ? text.slice(0, room - 1) + "\u2026" : text;
  });
}

// name writes into a large cell what it is and how much.
function name(i, l) {
  if (wide === size) return;
  const x = (i % columns) * wide + 12, y = Math.floor(i / columns) * size, v = values[i];
  pen.fillStyle = l >= turn ? paint.light : paint.dark;
  pen.font = `13px ${face}`;
  pen.fillText(called[i], x, y + 28, wide - 24);
  pen.font = `640 20px ${face}`;
  pen.fillText(v === null || v === undefined ? "\u2013" : v.toLocaleString("fr-FR"), x, y + 54, wide - 24);
}

function draw() {
  const by = new Map();
  for (let i = 0; i < names.length; i++) {
    const l = level(values[i]);
    if (l === drawn[i] && (wide === size || said[i] === values[i])) continue;
    said[i] = values[i];
    drawn[i] = l;
    if (!by.has(l)) by.set(l, []);
    by.get(l).push(i);
  }
  for (const [l, cells] of by) {
    pen.fillStyle = l < 0 ? paint.ground : paint.shades[l];
    for (const i of cells) {
      fill(i);
      if (wide > size && l >= 0) {
        name(i, l);
        pen.fillStyle = paint.shades[l];
      }
    }
  }
  if (chosen >= 0 && chosen < names.length) frame(chosen);
}

// soon draws with the browser's next frame, once, however much came until then.
let asked = false;
function soon() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => { asked = false; draw(); });
}

function say() {
  const v = values[chosen];
  const text = chosen < 0 || chosen >= names.length ? "" : `${names[chosen]}: ${v === null || v === undefined ? "not there" : v.toLocaleString("fr-FR")}`;
  if (cell.textContent !== text) cell.textContent = text;
}

function choose(i) {
  if (i < 0 || i >= names.length || i === chosen) return;
  const before = chosen;
  chosen = i;
  if (before >= 0 && before < names.length) frame(before);
  frame(i);
  say();
}

function apply(news) {
  lastNews = Date.now();
  if (words.textContent !== news.words) words.textContent = news.words;
  [low, high] = [news.low, news.high];
  if (news.values) values = news.values;
  for (let i = 0; i < (news.changed?.length ?? 0); i += 2) values[news.changed[i]] = news.changed[i + 1];
  if (news.names) {
    names = news.names;
    chosen = -1;
    layout();
  } else {
    soon();
  }
  say();
  tick();
}

function tick() {
  if (!lastNews) return;
  const silent = (Date.now() - lastNews) / 1000, age = silent >= 15 ? "red" : silent >= 5 ? "amber" : "fresh";
  const at = new Date(lastNews).toISOString().slice(11, 19);
  const text = age === "fresh" ? `Live, as of ${at} UTC` : `No news for ${Math.round(silent)} s: last heard ${at} UTC. What stands here may be over.`;
  if (heard.textContent !== text) heard.textContent = text;
  heard.dataset.age = age;
  if (age === "red" && Date.now() - openedAt >= 15000) anew();
}

let openedAt = 0;

function open() {
  if (source || document.hidden) return;
  openedAt = Date.now();
  source = new EventSource(part.dataset.wall);
  source.addEventListener("wall", (e) => apply(JSON.parse(e.data)));
  source.addEventListener("error", () => {
    if (source?.readyState !== EventSource.CLOSED) return; // it comes back by itself
    source = null;
    setTimeout(open, 2000 + Math.random() * 2000);
  });
}

// A connection that a network lost without a word is open for hours in the eyes of the browser.
function anew() {
  source?.close();
  source = null;
  open();
}
addEventListener("online", anew);

document.addEventListener("visibilitychange", () => {
  if (document.hidden) { source?.close(); source = null; } else open();
});
const under = (e) => choose(Math.floor(e.offsetY / size) * columns + Math.min(columns - 1, Math.floor(e.offsetX / wide)));
canvas.addEventListener("pointermove", under);
canvas.addEventListener("pointerdown", under); // a finger does not hover
canvas.addEventListener("keydown", (e) => {
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[e.key];
  if (!step) return;
  e.preventDefault();
  choose(chosen < 0 ? 0 : chosen + step);
});
addEventListener("resize", layout);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", layout);
layout();
open();
setInterval(tick, 1000);
