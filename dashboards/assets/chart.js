// Says the values under the pointer, and opens the stretch of time that is dragged over. Both stand on the page as
// well: in the table, and in the choice of the time.

// points of a drawn line, in units of the plot, by the path that the server wrote.
function points(path) {
  return [...path.getAttribute("d").matchAll(/[ML](-?[\d.]+) (-?[\d.]+)/g)].map((m) => [Number(m[1]), Number(m[2])]);
}

function figure(v) {
  return Math.abs(v) >= 1000 ? Math.round(v).toLocaleString("fr-FR") : String(Number(v.toPrecision(4)));
}

let drag = null;

function read(e) {
  const plot = e.target.closest?.(".plot");
  if (!plot) return;
  const chart = plot.closest(".chart"), box = plot.getBoundingClientRect(), d = plot.dataset;
  const x = Math.min(Math.max((e.clientX - box.left) / box.width, 0), 1) * 1000;
  const low = Number(d.low), high = Number(d.high), from = Number(d.from), to = Number(d.to);
  const names = [...chart.querySelectorAll(".of-line")].map((n) => n.textContent);
  const values = [...plot.querySelectorAll(".line")].map((line, i) => {
    let best = null;
    for (const p of points(line)) if (!best || Math.abs(p[0] - x) < Math.abs(best[0] - x)) best = p;
    return best && Math.abs(best[0] - x) < 20 ? `${names[i]} ${figure(low + (1 - best[1] / 240) * (high - low))}` : null;
  }).filter(Boolean);
  let out = chart.querySelector(".readout");
  if (!out) {
    out = document.createElement("p");
    out.className = "readout";
    chart.append(out);
  }
  out.textContent = `${new Date(from + (to - from) * x / 1000).toISOString().slice(5, 19).replace("T", " ")} UTC: ${values.join(", ") || "nothing"}`;
  return { from: from + (to - from) * x / 1000, plot, px: e.clientX };
}

document.addEventListener("pointermove", read);
document.addEventListener("pointerdown", (e) => { drag = e.button === 0 ? read(e) : null; });
document.addEventListener("pointerup", (e) => {
  const end = drag && read(e), begin = drag;
  drag = null;
  if (!end || end.plot !== begin.plot || Math.abs(end.px - begin.px) < 12) return;
  const to = new URL(location.href), times = [begin.from, end.from].sort((a, b) => a - b);
  if (times[1] - times[0] < 60000) return;
  to.searchParams.delete("last");
  to.searchParams.set("from", new Date(times[0]).toISOString().slice(0, 19));
  to.searchParams.set("to", new Date(times[1]).toISOString().slice(0, 19));
  location.assign(to);
});
