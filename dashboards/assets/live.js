// Keeps a page fresh by one stream of events, where it has one, and says how old it is. Without it the
// page is whole, as of when it was loaded.
const body = document.body;
const heardLine = document.getElementById("heard");
const amber = 5, red = 15; // seconds of silence
let heard = Date.now(), fresh = false, source = null;
let arrived = heard; // when news came last; heard is when what stands here did
let drift = Number(body.dataset.at) - heard; // of the server's clock from this one: a phone's may be wrong

// short says seconds as words.go does.
export function short(s) {
  s = Math.max(0, Math.round(s));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) {
    const m = Math.floor((s % 3600) / 60);
    return m ? `${Math.floor(s / 3600)} h ${m} min` : `${Math.floor(s / 3600)} h`;
  }
  return `${Math.floor(s / 86400)} d`;
}

// left says seconds as words.go does: to the second where it is soon.
export function left(s) {
  s = Math.max(0, Math.round(s));
  return s >= 60 && s < 600 ? `${Math.floor(s / 60)} min ${s % 60} s` : short(s);
}

// local says a time in the viewer's zone, with that of UTC beside it; where the zone is UTC it is left as it came.
const away = new Date().getTimezoneOffset() !== 0;
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", day: "numeric", month: "short" });
function local(t) {
  const short = t.dataset.kind === "minute";
  t.dataset.kind = "local";
  const at = new Date(t.dateTime);
  if (!away || isNaN(at)) return;
  const today = Date.now() + drift - at < 20 * 3600000; // no other day needs to be told apart
  const part = Object.fromEntries(clock.formatToParts(at).map((p) => [p.type, p.value]));
  t.title = t.textContent;
  if (short) {
    t.textContent = `${part.hour}:${part.minute}${today ? "" : `, ${part.day} ${part.month}`} (${at.toISOString().slice(11, 16)} UTC)`;
    return;
  }
  t.textContent = `${part.hour}:${part.minute}:${part.second}, ${part.day} ${part.month} (${at.toISOString().slice(11, 16)} UTC)`;
}

const narrow = matchMedia("(max-width: 760px)");

// shown says a time of the server in the viewer's zone, with UTC beside it.
function shown(ms) {
  const utc = new Date(ms).toISOString();
  if (away && narrow.matches) return new Date(ms - 60000 * new Date(ms).getTimezoneOffset()).toISOString().slice(11, 19);
  return away ? `${new Date(ms - 60000 * new Date(ms).getTimezoneOffset()).toISOString().slice(11, 19)} (${utc.slice(11, 16)} UTC)` : `${utc.slice(11, 19)} UTC`;
}

// loaded says as of when the page is, in the viewer's zone.
function loaded() {
  const t = document.querySelector("time[data-kind=asof]");
  if (!t || !away) return;
  t.dataset.kind = "local";
  t.title = t.textContent;
  t.textContent = shown(Date.parse(t.dateTime));
  t.nextElementSibling.textContent = `, ${new Date(t.dateTime).toLocaleDateString("en-GB", { day: "numeric", month: "short" })}`;
}

// Fields of a time are read as UTC by the server; here they stand in the viewer's zone, and go back as UTC.
function zoned() {
  if (!away) return;
  for (const field of document.querySelectorAll('input[type="datetime-local"]:not([data-zoned])')) {
    field.dataset.zoned = "";
    const at = new Date(`${field.defaultValue}Z`);
    if (isNaN(at)) continue;
    field.value = new Date(at - 60000 * at.getTimezoneOffset()).toISOString().slice(0, 16);
    for (const label of field.labels) label.textContent = label.textContent.replace(/,? \(?UTC\)?/, "");
  }
}
document.addEventListener("formdata", (e) => {
  for (const field of e.target.querySelectorAll("input[data-zoned]")) {
    if (field.value) e.formData.set(field.name, new Date(field.value).toISOString().slice(0, 16));
  }
});

// Times that stand in a drawing, where a tag of their own has no place.
function drawn() {
  if (!away) return;
  for (const text of document.querySelectorAll("text[data-at]")) {
    if (text.zoned) continue;
    const at = text.dataset.at * 1000;
    text.zoned = true;
    text.textContent = text.textContent.replace(/\d\d:\d\d/, new Date(at - 60000 * new Date(at).getTimezoneOffset()).toISOString().slice(11, 16));
  }
}

function tick() {
  zoned();
  drawn();
  loaded();
  const now = Date.now();
  document.querySelectorAll('time:is([data-kind="clock"], [data-kind="minute"])').forEach(local);
  for (const t of document.querySelectorAll("time[data-kind=ago], time[data-kind=left], .brief > time")) {
    const s = (now + drift - Date.parse(t.dateTime)) / 1000;
    const text = t.dataset.kind === "left" ? left(-s) : short(s);
    if (t.textContent !== text) t.textContent = text;
  }
  if (!body.dataset.live) return;
  const silent = (now - heard) / 1000;
  if (now - arrived >= red * 1000) anew();
  if (!fresh && silent < amber) return; // the page itself says as of when it is
  const age = silent >= red ? "red" : silent >= amber ? "amber" : "fresh";
  const at = shown(heard + drift);
  const text = age === "fresh" ? (narrow.matches ? at : `Live, as of ${at}`) : `No news for ${short(silent)}: last heard ${at}. What stands here may be over.`;
  if (heardLine.textContent !== text) heardLine.textContent = text;
  if (heardLine.dataset.age !== age) heardLine.dataset.age = age;
}

// bare is a part's text without what scripts change in it.
const bare = (el) => el.outerHTML.replace(/(<time [^>]*>|<text data-at[^>]*>|<span class="number">)[^<]*/g, "$1").replaceAll(/ open=""| data-htmx-powered="true"/g, "").replace(" fresh", "");

// opened are the details that a person opened: a row that is shortened for a while comes back as it was.
const opened = new Set();
document.addEventListener("toggle", (e) => {
  if (e.target.open) opened.add(e.target.id);
  else opened.delete(e.target.id);
}, true);

const focusable = "a, button, summary, input, .plot";

// place puts a part's new text in the place of the old one; what was open stays open, what was typed and
// focused stays.
function place(old, html) {
  const shell = document.createElement("template");
  shell.innerHTML = html;
  const fresh = shell.content.firstElementChild;
  if (!fresh) return null;
  if (!old) return fresh;
  if (bare(old) === bare(fresh)) return null; // the first news repeats what the page came with
  const focus = old.contains(document.activeElement) ? document.activeElement : null;
  if (focus && focus.matches("input:not([type=checkbox]), select, textarea")) return old; // somebody types here: later
  if (old.querySelector(".htmx-request")) return old; // somebody's act here has no answer yet: later
  for (const d of fresh.querySelectorAll("details[id]")) {
    const same = old.querySelector(`#${CSS.escape(d.id)}`);
    d.open = same ? same.open : opened.has(d.id);
  }
  for (const field of old.querySelectorAll("input[id], select[id]")) {
    const same = fresh.querySelector(`#${CSS.escape(field.id)}`);
    if (same) [same.value, same.checked] = [field.value, field.checked];
  }
  const picked = old.querySelector("input[name=p]:checked"); // a row stays selected
  if (picked && fresh.querySelector("input[name=p]")) fresh.querySelector("input[name=p]").checked = true;
  const path = focus && focus !== old ? [...old.querySelectorAll(focusable)].indexOf(focus) : -1;
  old.replaceWith(fresh);
  window.htmx?.process(fresh);
  if (focus === old) fresh.focus({ preventScroll: true });
  else if (path >= 0) fresh.querySelectorAll(focusable)[path]?.focus({ preventScroll: true });
  return fresh;
}

// arrange makes a section hold the parts in order, and moves only what stands wrong, so that focus is kept.
async function arrange(section, ids, made) {
  const want = new Set(ids);
  for (const child of [...section.children]) {
    if (want.has(child.id)) continue;
    const heir = child.contains(document.activeElement) ? child.nextElementSibling ?? child.previousElementSibling : null;
    child.remove();
    heir?.focus({ preventScroll: true });
  }
  let at = section.firstElementChild;
  for (const id of ids) {
    const el = document.getElementById(id) ?? made.get(id);
    if (!el) continue;
    if (el === at) { at = at.nextElementSibling; continue; }
    if (section.moveBefore && el.parentNode === section) {
      section.moveBefore(el, at); // which keeps the focus: to give it back makes the browser lay all out at once
    } else {
      const focus = el.contains(document.activeElement) ? document.activeElement : null;
      section.insertBefore(el, at);
      focus?.focus({ preventScroll: true });
    }
    if (made.has(id)) window.htmx?.process(el);
    await rest();
  }
}

const waiting = new Map(); // parts that came while somebody typed in them

// rest lets the browser do its own work when this script has worked for long enough.
let begun = 0;
async function rest() {
  if (performance.now() - begun < 30) return;
  await new Promise((done) => setTimeout(done));
  begun = performance.now();
}

async function apply(news) {
  begun = performance.now();
  // Another version brings another script. Once a minute at most: two routers behind one name may differ.
  if (news.version !== body.dataset.version && performance.now() > 60000) { location.reload(); return; }
  heard = news.arrived;
  fresh = true;
  drift = news.at - heard;
  if (document.title !== news.title) document.title = news.title;
  for (const mark of document.querySelectorAll(".p1-count")) {
    if (mark.textContent !== news.urgent) mark.textContent = news.urgent;
  }
  const made = new Map();
  for (const [id, html] of [...waiting, ...Object.entries(news.parts ?? {})]) {
    waiting.delete(id);
    const old = document.getElementById(id);
    const el = place(old, html);
    if (old && el === old) waiting.set(id, html);
    else if (!old && el) { el.classList.add("fresh"); made.set(id, el); }
    await rest();
  }
  for (const [id, ids] of Object.entries(news.order ?? {})) {
    let section = document.getElementById(id);
    if (!section && ids.length) {
      section = document.createElement("section");
      section.id = id;
      document.getElementById("main").append(section);
    }
    if (section) await arrange(section, ids, made);
  }
  document.querySelectorAll(".problem .number:not(.fixed)").forEach((el, i) => {
    if (el.textContent !== String(i + 1)) el.textContent = i + 1;
  });
  tick();
}

let path = ""; // where news come from

// News is applied one after the other. What comes meanwhile is made one, each part as it is newest: a browser that is slower than its news
// shows what is, and not what was a while ago.
let applied = Promise.resolve(), next = null;
function take(news) {
  news.arrived = arrived = Date.now();
  if (next) {
    next = { ...news, parts: { ...next.parts, ...news.parts }, order: { ...next.order, ...news.order } };
    return;
  }
  next = news;
  applied = applied.then(() => {
    const now = next;
    next = null;
    return now && apply(now);
  }).catch(console.error); // what one of them breaks, the next may mend
}

function open() {
  if (source || document.hidden || !body.dataset.live) return;
  path = body.dataset.live;
  arrived = Date.now();
  source = new EventSource(path);
  source.addEventListener("news", (e) => { if (e.target === source) take(JSON.parse(e.data)); });
  source.addEventListener("error", () => {
    if (source?.readyState !== EventSource.CLOSED) return; // it comes back by itself
    source = null;
    setTimeout(open, 2000 + Math.random() * 2000);
  });
}

function close() {
  source?.close();
  [source, next] = [null, null];
}

// A connection that a network lost without a word is open for hours in the eyes of the browser.
function anew() {
  if (!source) return;
  close();
  open();
}
addEventListener("online", anew);

// A tab in the background rests: it costs a phone's battery and a place at the server.
document.addEventListener("visibilitychange", () => { if (document.hidden) close(); else open(); });

// The answer to a form may be another page, which has other news or none.
document.addEventListener("htmx:after:swap", () => {
  if ((body.dataset.live ?? "") === path) return;
  close();
  waiting.clear();
  [path, fresh, heard] = ["", false, Date.now()];
  drift = Number(body.dataset.at) - heard;
  open();
});

// Commands are copied where the browser lets a page do so: on localhost and by TLS.
if (navigator.clipboard) document.documentElement.dataset.copy = "";
document.addEventListener("click", async (e) => {
  const button = e.target.closest(".copy");
  if (!button) return;
  const copied = navigator.clipboard.writeText(button.previousElementSibling.textContent);
  button.textContent = await copied.then(() => "Copied", () => "Not allowed");
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
});

// On a phone the menu is wider than the screen: where one is stays in sight.
const here = document.querySelector("nav [aria-current]"), entries = here?.closest("ul");
if (entries) entries.scrollLeft = here.offsetLeft - entries.offsetLeft - (entries.clientWidth - here.offsetWidth) / 2;

open();
tick();
setInterval(tick, 1000);
