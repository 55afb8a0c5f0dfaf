// Draws the charts again with uPlot, which says the values under the pointer and under the arrow keys, fits the scale to
// what is shown and opens the stretch of time that is dragged over. What the server drew stays below it: its paths are
// the values, its colours are the colours, it is what is printed, and an update replaces it as any other part. uPlot's
// canvas is in a shadow tree, which no update sees.
const charts = new Map(); // by the id of their figure
let at = null; // the time that is pointed at, on all charts
let zoom = null; // the stretch of time that is shown, where it is not all

// Words, as words.go says them.

const minus = (text) => text.replaceAll("-", "\u2212");
const signed = (say) => (v) => (v < 0 ? "\u2212" + say(-v) : say(v));

function grouped(v) {
  const whole = Math.round(Math.abs(v));
  return (v < 0 && whole > 0 ? "\u2212" : "") + String(whole).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

// general keeps n digits, as Go's format g does.
function general(v, n) {
  const [digits, exponent] = v.toExponential(n - 1).split("e");
  if (v === 0 || exponent >= -4 && exponent < n) return minus(String(Number(v.toPrecision(n))));
  return minus(Number(digits) + "e" + exponent.replace(/([+-])(\d)$/, "$10$2"));
}

function si(v) {
  const [size, name] = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]].find(([s]) => Math.abs(v) >= s) ?? [1, ""];
  return general(v / size, 3) + name;
}

const rate = signed((v) => (v === 0 ? "0" : v < 0.01 ? "< 0.01" : v < 10 ? general(v, 2) : grouped(v)) + "/s");

const seconds = signed((v) => {
  if (v === 0) return "0 s";
  if (v < 0.001) return (v * 1e6).toFixed(0) + " µs";
  if (v < 1) return (v * 1e3).toFixed(v < 0.01 ? 1 : 0) + " ms";
  return v.toFixed(1) + " s";
});

const percent = signed((v) => {
  if (v === 0) return "0 %";
  if (v < 0.001) return "< 0.1 %";
  if (v > 0.999 && v < 1) return "> 99.9 %";
  return (v * 100).toFixed(v < 0.1 || v > 0.99 && v < 1 ? 1 : 0) + " %";
});

function exact(v) {
  const a = Math.abs(v);
  return a !== 0 && a < 1000 && a !== Math.trunc(a) || a >= 1e15 ? general(v, 4) : grouped(v);
}

function bytes(v) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  for (v = Math.trunc(v); v >= 1024 && units.length > 1; v /= 1024) units.shift();
  return v.toFixed(units[0] === "B" || v >= 10 ? 0 : 1) + " " + units[0];
}

export const units = {
  number: { say: grouped, axis: si }, rate: { say: rate, axis: (v) => si(v) + "/s" }, seconds: { say: seconds, axis: seconds },
  percent: { say: percent, axis: (v) => general(v * 100, 3) + " %" }, exact: { say: exact, axis: si }, bytes: { say: bytes, axis: bytes, binary: true },
};

const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const day = 86400, week = 7 * day, yearOne = -719162 * day; // from which Go counts; it began on a Monday

// The scale and what is pointed at are in the viewer's zone; addresses are in UTC.
const zone = (s) => -60 * new Date(s * 1000).getTimezoneOffset(); // in seconds
const dateOf = (s) => { const d = new Date((s + zone(s)) * 1000); return `${d.getUTCDate()} ${months[d.getUTCMonth()]}`; };
const timeOf = (s, step) => new Date((s + zone(s)) * 1000).toISOString().slice(11, step < 60 ? 19 : 16);

// Scales, as chart.go and ticks.go have them.

function niceStep(unit, v) {
  if (!(v > 0) || !isFinite(v)) return 0.25;
  let k = 1;
  while (unit.binary && v >= 1024 * k) k *= 1024;
  const base = 10 ** Math.floor(Math.log10(v / k));
  return k * base * ([1, 1.5, 2, 2.5, 3, 4, 5].find((m) => m * base >= v / k * (1 - 1e-9)) ?? 10);
}

function scale(c, low, high) {
  if (low === null) [low, high] = [0, 0];
  [low, high] = [Math.min(low, 0), Math.max(high, 0)];
  if (c.limit > 0 && high > c.limit / 4) high = Math.max(high, c.limit);
  let step = niceStep(c.unit, (high - low) / 4), from = Math.floor(low / step + 1e-9) * step;
  while (from + 4 * step < high - step * 1e-9) {
    step = niceStep(c.unit, step * 1.01);
    from = Math.floor(low / step + 1e-9) * step;
  }
  return [from, from + 4 * step];
}

const steps = [10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, day, 2 * day, week, 2 * week, 4 * week, 13 * week];

// ticks are round times that leave each label 80 px.
function ticks(u, from, to) {
  const most = Math.max(1, u.bbox.width / devicePixelRatio / 80);
  const step = steps.find((s) => to - from <= most * s) ?? steps.at(-1), out = [], away = zone(from);
  for (let t = Math.ceil((from + away - yearOne) / step) * step + yearOne - away; t <= to; t += step) out.push(t);
  return out;
}

// Reading what the server drew.

// column puts the values of a path into their steps: null is a gap, undefined what a line goes over. A path that comes
// back, as that of a band does, has a second column. dots are points that stand alone.
function column(path, n) {
  const exp = `e${path.dataset.exp}`, there = Array(n).fill(null), back = Array(n).fill(null), dots = [];
  let x = 0, y = 0, into = there;
  for (const [, letter, pairs] of path.getAttribute("d").matchAll(/([mh])([^mhz]*)/g)) {
    if (letter === "h") { dots.push(x); continue; }
    const numbers = pairs.match(/-?\d+/g).map(Number);
    for (let i = 0; i < numbers.length; i += 2) {
      if (i > 0 && numbers[i] <= 0) into = back;
      if (i > 0) for (let gone = x + 1; gone < x + numbers[i]; gone++) into[gone] = undefined;
      x += numbers[i];
      y += numbers[i + 1];
      if (x >= 0 && x < n) into[x] = Number(y + exp);
    }
  }
  return { there, back, dots };
}

function read(host) {
  const d = host.dataset, figure = host.closest("figure"), [from, to, step] = [d.from, d.to, d.step].map(Number);
  const n = Math.floor((to - from) / step + 1e-6) + 1, all = (selector) => [...host.querySelectorAll(selector)];
  const bands = all(".band"), lines = all(".line");
  const columns = lines.map((p) => column(p, n)), areas = bands.map((p) => column(p, n));
  return {
    host, figure, from, to, step, limit: Number(d.limit ?? 0), unit: units[d.unit], bands, lines, dots: columns.map((r) => r.dots),
    marks: all(".deploy, .now"), limitLine: host.querySelector(".limit"), grid: host.querySelector(".grid"),
    values: [...figure.querySelectorAll(".legend .value")], inputs: [...figure.querySelectorAll(".legend input")],
    names: [...figure.querySelectorAll(".of-line")].map((e) => e.textContent),
    data: [Array.from({ length: n }, (_, i) => from + i * step), ...areas.flatMap((a) => [a.there, a.back]), ...columns.map((r) => r.there)],
  };
}

const look = (el) => getComputedStyle(el);
const dashes = (el) => (look(el).strokeDasharray.match(/[\d.]+/g) ?? []).map((v) => v * devicePixelRatio);
const wide = (el) => parseFloat(look(el).strokeWidth);

// Drawing.

const sheet = new CSSStyleSheet();
sheet.replaceSync([...document.getElementById("plot-style").sheet.cssRules].map((r) => r.cssText).join("\n") + `
slot { display: none; }
.uplot { width: auto; overflow: clip; margin: -8px -12px 0 0; font: inherit; }
.u-over { cursor: crosshair; touch-action: pan-y pinch-zoom; }
.u-hz .u-cursor-x { border-right: 1px solid var(--text-2); }
.u-select { background: var(--focus); opacity: .25; }
.time { position: absolute; top: 100%; left: 0; padding: 0 .35rem; border-radius: 3px; background: var(--text); color: var(--surface); white-space: nowrap; pointer-events: none; z-index: 1; }
.hint { display: none; position: absolute; bottom: 2px; right: 2px; padding: 0 .35rem; border-radius: 3px; background: var(--surface); pointer-events: none; }
:host(:focus-visible) .hint { display: block; }
@media print { slot { display: contents; } .uplot { display: none; } }`);

// stroke draws a straight line as its element is drawn.
function stroke(ctx, el, x0, y0, x1, y1) {
  ctx.strokeStyle = look(el).stroke;
  ctx.lineWidth = wide(el) * devicePixelRatio;
  ctx.setLineDash(dashes(el));
  ctx.beginPath();
  ctx.moveTo(x0, y0);
  ctx.lineTo(x1, y1);
  ctx.stroke();
}

function drawMarks(c, u) {
  const { ctx, bbox: b } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(b.left, b.top - 2, b.width, b.height + 4);
  ctx.clip();
  for (const el of c.marks) {
    const x = u.valToPos(c.from + parseFloat(el.getAttribute("d").slice(1)) / 1000 * (c.to - c.from), "x", true);
    stroke(ctx, el, x, b.top, x, b.top + b.height);
  }
  if (c.limitLine) {
    const y = u.valToPos(c.limit, "y", true);
    stroke(ctx, c.limitLine, b.left, y, b.left + b.width, y);
  }
  ctx.restore();
}

function options(c) {
  const first = 1 + 2 * c.bands.length, line = (i) => c.lines[i - first];
  const rem = parseFloat(look(document.documentElement).fontSize), text = look(c.host);
  const font = `${Math.round(0.8 * rem)}px ${text.fontFamily}`, soft = () => look(c.host).color;
  const measure = document.createElement("canvas").getContext("2d");
  measure.font = font;
  const grid = { stroke: () => look(c.grid).stroke, width: 1 }, none = { show: false };
  const colour = (_, i) => (line(i) ? look(line(i)).stroke : "");
  const series = [{}];
  for (const _ of c.bands) series.push({ points: none, width: 0 }, { points: none, width: 0 });
  for (const _ of c.lines) {
    series.push({ stroke: colour, cap: "round", points: { show: false, size: 5, width: 0, fill: colour, filter: (_, i) => c.dots[i - first] } });
  }
  return {
    width: c.host.clientWidth + 12, height: c.host.clientHeight + 8, padding: [8, 12, 0, 0], legend: none, series,
    scales: { x: { time: false, range: () => zoom ?? [c.from, c.to] }, y: { range: (_, low, high) => scale(c, low, high) } },
    bands: c.bands.map((_, i) => ({ series: [1 + 2 * i, 2 + 2 * i], fill: () => look(c.bands[i]).fill })),
    axes: [{
      stroke: soft, font, grid, ticks: none, gap: 0.25 * rem, size: 1.5 * rem, splits: (u, _, from, to) => ticks(u, from, to),
      values: (u, splits) => splits.map((t) => (u.valToPos(t, "x") > u.width - u.bbox.left / devicePixelRatio - 16 ? "" : (t + zone(t)) % day === 0 ? dateOf(t) : timeOf(t, splits[1] - splits[0]))),
    }, {
      stroke: soft, font, grid, ticks: none, gap: 0.5 * rem, splits: (_, i, low, high) => [0, 1, 2, 3, 4].map((k) => low + k * (high - low) / 4),
      values: (_, splits) => splits.map(c.unit.axis),
      size: (_, values) => 0.5 * rem + Math.max(0, ...(values ?? []).map((v) => measure.measureText(v).width)),
    }],
    cursor: {
      y: false, drag: { x: true, y: false, setScale: false, dist: 12 }, bind: { dblclick: () => () => show(null) },
      sync: { key: "charts", scales: ["x", null], filters: { sub: (type) => type === "mousemove" } },
      points: { show: (_, i) => (line(i) ? document.createElement("div") : null), size: () => 8, width: () => 0, fill: colour, stroke: colour },
    },
    hooks: { drawAxes: [(u) => drawMarks(c, u)], setCursor: [() => tell(c)], setSelect: [(u) => chosen(c, u)] },
  };
}

// tell says in the legend what the lines are at the time that is pointed at.
function tell(c) {
  const { u, unit } = c, i = u.cursor.idx, first = 1 + 2 * c.bands.length;
  at = i === null ? null : u.data[0][i];
  c.time.hidden = i === null;
  const said = (k) => (u.series[k].show && i !== null ? (u.data[k][u.cursor.idxs[k]] ?? null) : null);
  const lines = c.lines.map((_, k) => said(first + k)).map((v) => (v === null ? "" : unit.say(v)));
  const bands = c.bands.map((_, k) => [said(2 + 2 * k), said(1 + 2 * k)]).map(([low, high]) => (high === null ? "" : `${unit.say(low)} to ${unit.say(high)}`));
  c.said = [...lines, ...bands];
  c.values.forEach((el, k) => { el.textContent = c.said[k]; });
  if (i === null) return;
  c.time.textContent = `${dateOf(at)} ${timeOf(at, c.step)}` + (zone(at) ? ` (${new Date(at * 1000).toISOString().slice(11, 16)} UTC)` : "");
  const left = Math.min(Math.max(u.cursor.left - c.time.offsetWidth / 2, 0), u.over.clientWidth - c.time.offsetWidth);
  c.time.style.transform = `translateX(${left}px)`;
}

// point points at a step, on all charts.
const point = (c, i) => c.u.setCursor({ left: c.u.valToPos(c.u.data[0][i], "x"), top: 0 }, true, true);

const resized = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const c = charts.get(target.closest("figure")?.id);
    if (c?.host === target) c.u.setSize({ width: target.clientWidth + 12, height: target.clientHeight + 8 });
  }
});

// take draws a chart that is new, or new again: then it goes on with what there is, so that nothing flickers.
function take(host) {
  const c = read(host), old = charts.get(c.figure.id);
  if (old && choice() && (c.from !== old.from || c.to !== old.to)) zoom = null; // what was asked for came
  if (old && old.lines.length === c.lines.length && old.bands.length === c.bands.length) {
    if (old.host !== host) resized.unobserve(old.host);
    Object.assign(old, c);
    dress(old);
    old.u.setData(old.data);
  } else {
    if (old) leave(old);
    c.u = new uPlot(options(c), c.data);
    c.time = document.createElement("div");
    c.time.className = "time";
    c.time.hidden = true;
    const hint = document.createElement("div");
    hint.className = "hint";
    hint.textContent = "\u2190 \u2192 say values, with Shift mark a stretch, Enter opens it";
    c.u.over.append(c.time, hint);
    c.u.over.addEventListener("pointerdown", touch);
    c.u.over.addEventListener("pointermove", touch);
    charts.set(c.figure.id, c);
    dress(c);
  }
  const now = charts.get(c.figure.id), shadow = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  if (!shadow.firstChild) {
    shadow.adoptedStyleSheets = [sheet];
    shadow.append(document.createElement("slot"));
  }
  if (now.u.root.parentNode !== shadow) {
    shadow.append(now.u.root);
    resized.observe(host);
  }
  if (at !== null) queueMicrotask(() => now.u.setCursor({ left: now.u.valToPos(at, "x"), top: 0 }));
}

function leave(c) {
  resized.unobserve(c.host);
  c.u.destroy();
  charts.delete(c.figure.id);
}

// dress gives the lines their dashes and hides those that are unchosen.
function dress(c) {
  c.lines.forEach((el, k) => {
    const i = 1 + 2 * c.bands.length + k, s = c.u.series[i], shown = c.inputs[k]?.checked ?? true;
    [s.dash, s.width] = [dashes(el), wide(el)];
    if (s.show !== shown) c.u.setSeries(i, { show: shown });
  });
}

// A finger points as it goes along; up and down it scrolls the page.
function touch(e) {
  if (e.pointerType !== "touch") return;
  const c = charts.get(e.currentTarget.getRootNode().host.closest("figure").id), box = e.currentTarget.getBoundingClientRect();
  c.u.setCursor({ left: Math.min(Math.max(e.clientX - box.left, 0), box.width), top: 0 }, true, true);
}

// Time that is dragged over is asked for at the server, in finer steps, where the page has a choice of it; else the
// chart shows a part of what it has. Either way the address says which.
const shortest = 60; // seconds
const iso = (s) => new Date(s * 1000).toISOString().slice(0, 19);
const choice = () => document.querySelector("form.period");

function chosen(c, u) {
  const { left, width } = u.select;
  if (!width) return;
  const stretch = [left, left + width].map((x) => Math.round(u.posToVal(x, "x") / c.step) * c.step);
  mark(c, 0, 0);
  if (stretch[1] - stretch[0] >= shortest) show(stretch);
}

function show(stretch) {
  if (!stretch && !zoom) return;
  zoom = stretch;
  for (const { u, from, to } of charts.values()) u.setScale("x", { min: from, max: to });
  const to = new URL(location.href);
  for (const k of ["last", "from", "to"]) to.searchParams.delete(k);
  if (stretch) ["from", "to"].forEach((k, i) => to.searchParams.set(k, iso(stretch[i])));
  if (!choice()) { history.replaceState(null, "", to); return; }
  const link = document.createElement("a"); // as the others there: answered in place, or by a page
  link.href = to;
  link.hidden = true;
  choice().append(link);
  window.htmx?.process(link);
  link.click();
}

// mark chooses a stretch of time; one of no length is none.
function mark(c, from, to) {
  const [left, right] = [from, to].sort((a, b) => a - b).map((t) => c.u.valToPos(t, "x"));
  c.u.setSelect({ left, width: right - left, top: 0, height: c.u.over.clientHeight }, false);
  if (from === to) c.start = null;
}

// The arrow keys go along the time, a sixtieth of it at a step, and begin where the newest value is. With Shift they
// mark what Enter opens.
const readout = document.createElement("p");
readout.className = "unseen";
readout.id = "readout";
readout.setAttribute("role", "status");

document.addEventListener("keydown", (e) => {
  const c = charts.get(e.target.closest?.(".chart")?.id);
  if (!c || e.target !== c.host || e.ctrlKey || e.metaKey || e.altKey) return;
  if (e.key === "Escape") { show(null); c.u.setCursor({ left: -10, top: -10 }, true, true); mark(c, 0, 0); return; }
  if (e.key === "Enter" && c.u.select.width) { chosen(c, c.u); return; }
  const [first, last] = c.u.series[0].idxs, step = Math.max(1, Math.round((last - first) / 60));
  const here = at === null ? last : c.u.valToIdx(at);
  const i = { ArrowLeft: here - step, ArrowRight: here + step, Home: first, End: last }[e.key];
  if (i === undefined) return;
  e.preventDefault();
  c.start ??= at ?? c.u.data[0][last];
  point(c, Math.min(Math.max(i, first), last));
  mark(c, c.start, e.shiftKey ? at : c.start);
  if (!readout.isConnected) document.body.append(readout);
  const said = c.names.map((name, k) => c.said[k] && `${name} ${c.said[k]}`).filter(Boolean);
  readout.textContent = `${dateOf(at)} ${timeOf(at, c.step)} UTC: ${said.join(", ") || "nothing"}`;
});

document.addEventListener("change", (e) => {
  const c = charts.get(e.target.closest?.(".chart")?.id);
  if (c) dress(c);
});

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { for (const { u } of charts.values()) u.redraw(false, false); });

// Charts come and go with updates of the page, as whole parts or path by path.
new MutationObserver((records) => {
  const hosts = new Set();
  for (const r of records) {
    hosts.add(r.target.closest(".plot"));
    for (const n of r.addedNodes) {
      if (n.nodeType !== Node.ELEMENT_NODE) continue;
      hosts.add(n.closest(".plot"));
      for (const host of n.querySelectorAll(".plot")) hosts.add(host);
    }
  }
  for (const host of hosts) if (host?.dataset.step && host.isConnected) take(host);
  for (const c of charts.values()) if (!c.host.isConnected) leave(c);
}).observe(document.documentElement, { childList: true, subtree: true, attributes: true, attributeFilter: ["d", "data-from", "data-to"] });

if (!choice()) {
  const stretch = ["from", "to"].map((k) => Date.parse(new URLSearchParams(location.search).get(k) + "Z") / 1000);
  if (stretch[1] - stretch[0] >= shortest) zoom = stretch;
}
for (const host of document.querySelectorAll(".plot[data-step]")) {
  if (host.isConnected && !host.shadowRoot) take(host);
  await new Promise((done) => setTimeout(done)); // the browser has its turn between them
}
