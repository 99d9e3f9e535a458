// The charts of a vocabulary: the counts of the merges, and the vocabulary at every size.

const POINTS = 700; // of a curve over all merges, evenly spaced on its logarithmic axis

class Charts extends Plots {
  constructor(report) {
    super();
    this.report = report;
    this.merges = 0;
    this.describeMerges();
    this.describeSizes();
    this.draw();
  }

  draw() {
    this.clear();
    if (this.report.trace) this.drawMerges();
    this.drawSizes();
  }

  // --- counts of the merges ---

  describeMerges() {
    const { trace, data, tokens, vocabulary } = this.report;
    const lead = view.get("merges-lead");
    const box = view.get("merges-chart");
    if (!trace) {
      lead.textContent = data.no_trace;
      box.hidden = true;
      return;
    }
    lead.textContent = "How often each pair occurred in the learning corpus when it was merged, both axes logarithmic. The dashed line is the merge of the timeline.";
    const { left, right, merged_ids } = vocabulary.facts;
    const rows = [];
    const places = [0];
    for (let step = 10; step <= trace.counts.length; step *= 10) places.push(step - 1);
    for (const i of trace.counts.length ? places : []) {
      const rank = trace.first + i;
      rows.push([rank, `${tokens.write(left[rank])} + ${tokens.write(right[rank])}`, tokens.write(merged_ids[rank]), trace.counts[i]]);
    }
    box.setAttribute("role", "img");
    box.setAttribute("aria-label", `Counts fall from ${view.number(trace.counts[0] ?? 0)} for the first merge to ${view.number(trace.counts.at(-1) ?? 0)} for the last of ${view.number(trace.counts.length)}.`);
    const table = view.element("table", {},
      view.element("thead", {}, view.element("tr", {}, ...["rank", "pair", "token", "count"].map((name, i) => view.element("th", { scope: "col", class: i % 3 ? null : "number" }, name)))),
      view.element("tbody", {}, ...rows.map(([rank, pair, token, count]) => view.element("tr", {},
        view.element("td", { class: "number" }, view.number(rank)), view.element("td", { class: "mono" }, pair),
        view.element("td", { class: "mono" }, token), view.element("td", { class: "number" }, view.number(count))))));
    view.get("merges-readout").after(view.element("details", {}, view.element("summary", {}, "A few of them as a table"), view.element("div", { class: "scroll", tabindex: "0" }, table)));
  }

  drawMerges() {
    const { trace, vocabulary, tokens } = this.report;
    const n = trace.counts.length;
    if (!n) return;
    const ranks = spaced(n);
    const data = [ranks.map((i) => trace.first + i + 1), ranks.map((i) => trace.counts[i] || null)];
    const readout = view.get("merges-readout");
    const { left, right, merged_ids } = vocabulary.facts;
    const grid = { stroke: this.colour("line"), width: 1 };
    this.mergesPlot = this.plot(view.get("merges-chart"), Math.min(380, Math.max(240, window.innerWidth * 0.45)), {
      scales: { x: { time: false, distr: 3, range: [trace.first + 0.95, (trace.first + n) * 1.1] }, y: { distr: 3 } },
      legend: { show: false },
      axes: [
        { label: "merge", values: (_, values) => values.map(powers), filter: onlyPowers, grid: { ...grid, filter: onlyPowers }, ticks: { ...grid, filter: onlyPowers } },
        { label: "count", size: 58, values: (_, values) => values.map(powers), filter: onlyPowers, grid: { ...grid, filter: onlyPowers }, ticks: { ...grid, filter: onlyPowers } },
      ],
      series: [{}, { label: "count", stroke: this.colour("series0"), width: 2, points: { show: false } }],
      hooks: {
        draw: [(plot) => this.drawMark(plot)],
        setCursor: [(plot) => {
          const index = plot.cursor.idx;
          if (index === null || index === undefined) return (readout.textContent = "");
          const rank = data[0][index] - 1;
          readout.textContent = `rank ${view.number(rank)}: ${tokens.write(left[rank])} + ${tokens.write(right[rank])} → ${tokens.write(merged_ids[rank])}, ${view.times(data[1][index], "time")}`;
        }],
      },
    }, data);
  }

  drawMark(plot) {
    if (!this.merges) return;
    const x = plot.valToPos(this.merges, "x", true);
    if (!(x >= plot.bbox.left && x <= plot.bbox.left + plot.bbox.width)) return;
    const { ctx } = plot;
    ctx.save();
    ctx.strokeStyle = this.colour("warm");
    ctx.lineWidth = 1.5 * devicePixelRatio;
    ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(x, plot.bbox.top);
    ctx.lineTo(x, plot.bbox.top + plot.bbox.height);
    ctx.stroke();
    ctx.restore();
  }

  markMerge(merges) {
    this.merges = merges;
    this.mergesPlot?.redraw(false);
  }

  // --- sizes ---

  describeSizes() {
    const { sizes: sweep, no_sizes } = this.report.data;
    const lead = view.get("sizes-lead");
    if (!sweep) {
      lead.textContent = no_sizes;
      return;
    }
    lead.textContent = "Merges are prefixes: one learning run holds every smaller vocabulary. " +
      (sweep.from_trace ? "Measured on the learning corpus, from the trace of its merges. " : "") +
      (sweep.corpora.some((corpus) => corpus.knee !== null) ? "◆ marks the knee, beyond which more vocabulary buys less (kneedle, Satopaa et al. 2011)." : "");
    const tables = sweep.corpora.map((corpus) => sizeTable(corpus));
    view.get("sizes-tables").replaceChildren(...tables);
  }

  // The figures that are known, each a chart: {title, value of a row, how it is written}.
  figures() {
    const { sizes: sweep } = this.report.data;
    const known = (key) => sweep.corpora.some((corpus) => corpus.sizes.some((row) => row[key] !== null));
    return [
      { title: "Bytes per token", key: "bytes_per_token", write: (value) => value.toFixed(2), knee: true },
      { title: "Tokens per word", key: "fertility", write: (value) => value.toFixed(2) },
      { title: "Merged tokens never used", key: "never_used", write: view.percent },
      { title: `Parity with ${sweep.corpora[0].name}`, key: "parity", write: (value) => value.toFixed(2) },
    ].filter((figure) => known(figure.key));
  }

  drawSizes() {
    const { sizes: sweep } = this.report.data;
    const place = view.get("sizes-charts");
    place.replaceChildren();
    if (!sweep || sweep.corpora[0].sizes.length < 2) return;
    const sizes = sweep.corpora[0].sizes.map((row) => row.vocab_size);
    const boxes = this.figures().map((figure) => {
      const box = view.element("div", { class: "chart", role: "img", "aria-label": `${figure.title} by vocabulary size; the table below has the numbers.` });
      place.append(view.element("div", {}, view.element("h3", {}, figure.title), box));
      return [figure, box];
    });
    for (const [figure, box] of boxes) {
      const data = [sizes, ...sweep.corpora.map((corpus) => corpus.sizes.map((row) => row[figure.key]))];
      this.plot(box, 260, {
        scales: { x: { time: false, distr: 3, range: [sizes[0] * 0.92, sizes.at(-1) * 1.09] } },
        legend: { show: true, live: true },
        axes: [
          { label: "vocabulary", values: (_, values) => values.map((value) => (value === null ? "" : view.short(value))), splits: () => labelled(sizes), filter: (_, splits) => splits },
          { size: 58, values: (_, values) => values.map((value) => figure.write(value)) },
        ],
        series: [
          { label: "vocabulary", value: (_, value) => (value === null ? "–" : view.number(value)) },
          ...sweep.corpora.map((corpus, i) => ({
            label: corpus.name,
            stroke: this.colour(`series${i % 4}`),
            width: 2,
            dash: i ? [[8, 4], [2, 4], [10, 3, 2, 3]][(i - 1) % 3] : undefined,
            points: { show: true, size: 7, fill: this.colour("card") },
            value: (_, value) => (value === null || value === undefined ? "–" : figure.write(value)),
          })),
        ],
        hooks: { draw: figure.knee ? [(plot) => this.drawKnees(plot)] : [] },
      }, data);
    }
  }

  drawKnees(plot) {
    const { ctx } = plot;
    this.report.data.sizes.corpora.forEach((corpus, i) => {
      const row = corpus.sizes.find((size) => size.vocab_size === corpus.knee);
      if (!row) return;
      const x = plot.valToPos(row.vocab_size, "x", true);
      const y = plot.valToPos(row.bytes_per_token, "y", true);
      const r = 8 * devicePixelRatio;
      ctx.save();
      ctx.fillStyle = this.colour(`series${i % 4}`);
      ctx.strokeStyle = this.colour("card");
      ctx.lineWidth = 2 * devicePixelRatio;
      ctx.beginPath();
      ctx.moveTo(x, y - r);
      ctx.lineTo(x + r, y);
      ctx.lineTo(x, y + r);
      ctx.lineTo(x - r, y);
      ctx.closePath();
      ctx.fill();
      ctx.stroke();
      ctx.restore();
    });
  }
}

// Up to POINTS indices below n, evenly spaced by their logarithm, the first and the last among them.
function spaced(n) {
  const places = new Set();
  for (let k = 0; k < POINTS; k++) places.add(Math.round(Math.expm1((k / (POINTS - 1)) * Math.log(n))));
  return [...places].filter((i) => i < n).sort((a, b) => a - b);
}

// Labels and lines on logarithmic axes: powers of ten only.
const isPower = (value) => value !== null && Number.isInteger(+Math.log10(value).toFixed(9));
const onlyPowers = (_, values) => values.map((value) => (isPower(value) ? value : null));
const powers = (value) => (isPower(value) ? view.short(value) : "");

// Sizes with room for their labels on a logarithmic axis, the largest always.
function labelled(sizes) {
  const room = (Math.log(sizes.at(-1)) - Math.log(sizes[0])) / 9;
  const kept = [];
  for (const size of [...sizes].reverse()) if (!kept.length || Math.log(kept.at(-1)) - Math.log(size) >= room) kept.push(size);
  return kept.reverse();
}

function sizeTable(corpus) {
  const columns = [
    ["vocabulary", (row) => view.number(row.vocab_size)],
    ["tokens", (row) => view.number(row.num_tokens)],
    ["bytes/token", (row) => row.bytes_per_token.toFixed(3)],
    ["tokens/word", (row) => row.fertility?.toFixed(3), "fertility"],
    ["never used", (row) => (row.never_used === null ? "–" : view.percent(row.never_used)), "never_used"],
    ["parity", (row) => row.parity?.toFixed(3), "parity"],
  ].filter(([, , key]) => !key || corpus.sizes.some((row) => row[key] !== null));
  const words = corpus.words === null ? "" : `, ${view.times(corpus.words, "word")}`;
  return view.element("details", { open: "" },
    view.element("summary", {}, `${corpus.name} (${view.times(corpus.bytes, "byte")}${words})`),
    view.element("div", { class: "scroll", tabindex: "0", role: "group", "aria-label": corpus.name },
      view.element("table", { class: "sizes" },
        view.element("thead", {}, view.element("tr", {}, ...columns.map(([name]) => view.element("th", { scope: "col", class: "number" }, name)), view.element("th", {}, view.element("span", { class: "hidden" }, "remark")))),
        view.element("tbody", {}, ...corpus.sizes.map((row) => {
          const knee = row.vocab_size === corpus.knee;
          return view.element("tr", { class: knee ? "knee" : null }, ...columns.map(([, write]) => view.element("td", { class: "number" }, write(row) ?? "–")), view.element("td", { class: "mark" }, knee ? "◆ knee" : ""));
        })))));
}
