// One text with all its attention: which kind, method, layer and head are shown, as lines and as a matrix.

class AttentionPage {
  constructor(data) {
    this.data = data;
    this.chosen = { ...data.chosen };
    document.getElementById("lead").textContent = data.lead;
    this.draw();
  }

  get kind() {
    return this.data.kinds.find((kind) => kind.name === this.chosen.kind);
  }

  get maps() {
    return this.kind.methods[this.chosen.method];
  }

  // (rows, columns) of what is chosen. Behind the maps of all layers, if there are several, come their mean and maximum; so it is with heads.
  get weights() {
    const { layers, heads, weights } = this.maps;
    const place = (choice, count) => (count === 1 ? 0 : choice === "mean" ? count : choice === "max" ? count + 1 : choice - 1);
    const map = place(this.chosen.layer, layers) * (heads === 1 ? 1 : heads + 2) + place(this.chosen.head, heads);
    const columns = this.kind.columns.length;
    return this.kind.rows.map((_, row) => {
      const first = (map * this.kind.rows.length + row) * columns;
      return Array.from(weights.subarray(first, first + columns), (parts) => parts / this.data.whole);
    });
  }

  draw() {
    document.getElementById("map-title").textContent = this.kind.title;
    document.getElementById("folding").textContent = this.data.folding;
    this.choices();
    const weights = this.weights;
    this.lines(weights);
    this.matrix(weights);
  }

  choices() {
    const { layers, heads } = this.maps;
    const numbers = (count) => Array.from({ length: count }, (_, place) => [place + 1, String(place + 1)]);
    const wholes = [["mean", "mean"], ["max", "maximum"]];
    const lists = {
      kind: this.data.kinds.map((kind) => [kind.name, kind.title]),
      method: Object.keys(this.kind.methods).map((name) => [name, this.data.methods[name]]),
      layer: layers > 1 ? [...numbers(layers), ...wholes] : numbers(1),
      head: heads > 1 ? [...wholes, ...numbers(heads)] : [["mean", this.chosen.method === "rollout" ? "all together" : "1"]],
    };
    const drawn = Object.entries(lists).map(([name, list]) => {
      const select = document.createElement("select");
      select.name = name;
      for (const [value, text] of list) select.add(new Option(text, value, false, String(value) === String(this.chosen[name])));
      select.addEventListener("change", () => this.choose(name, select.value));
      const label = document.createElement("label");
      label.append(name, select);
      return label;
    });
    document.getElementById("choices").replaceChildren(...drawn);
  }

  choose(name, value) {
    this.chosen[name] = /^\d+$/.test(value) ? Number(value) : value;
    const { layers, heads } = this.maps;
    if (this.chosen.layer > layers) this.chosen.layer = layers;
    if (heads === 1 || this.chosen.head > heads) this.chosen.head = "mean";
    this.draw();
    document.querySelector(`select[name="${name}"]`).focus();
  }

  // Dims all rows but one; null: none.
  look(row) {
    document.querySelectorAll("[data-row]").forEach((part) => part.classList.toggle("dim", row !== null && Number(part.dataset.row) !== row));
  }

  lines(weights) {
    const place = document.getElementById("lines");
    const sentence = (names, tag) => {
      const line = document.createElement("div");
      line.className = "sentence";
      line.append(...names.map((name) => Object.assign(document.createElement(tag), { textContent: name })));
      return line;
    };
    const top = sentence(this.kind.columns, "span");
    const bottom = sentence(this.kind.rows, "button");
    [...bottom.children].forEach((word, row) => {
      word.type = "button";
      for (const event of ["mouseenter", "focus"]) word.addEventListener(event, () => this.look(row));
      for (const event of ["mouseleave", "blur"]) word.addEventListener(event, () => this.look(null));
    });
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("aria-hidden", "true");
    place.replaceChildren(svg, top, bottom);
    const box = place.getBoundingClientRect();
    const x = (word) => word.getBoundingClientRect().left - box.left + word.offsetWidth / 2;
    const from = top.getBoundingClientRect().bottom - box.top, to = bottom.getBoundingClientRect().top - box.top;
    weights.forEach((row, number) =>
      row.forEach((weight, column) => {
        if (weight < 0.02) return;
        const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
        const facts = { x1: x(bottom.children[number]), y1: to, x2: x(top.children[column]), y2: from };
        facts["stroke-width"] = 0.5 + 3.5 * weight;
        facts["stroke-opacity"] = Math.min(1, weight + 0.05);
        for (const [name, value] of Object.entries(facts)) line.setAttribute(name, value);
        line.dataset.row = number;
        svg.append(line);
      }),
    );
  }

  matrix(weights) {
    const make = (tag, text = "", facts = {}) => Object.assign(document.createElement(tag), { textContent: text }, facts);
    const head = make("tr");
    head.append(make("td"), ...this.kind.columns.map((name) => make("th", name, { scope: "col" })));
    const rows = weights.map((row, number) => {
      const line = make("tr");
      line.dataset.row = number;
      line.append(make("th", this.kind.rows[number], { scope: "row" }));
      const most = Math.max(...row);
      row.forEach((weight) => {
        const cell = make("td", "", { className: weight === most ? "strong" : "" });
        cell.style.setProperty("--share", 0.03 + 0.6 * Math.min(weight, 1));
        cell.append(make("span", weight >= 0.005 ? `${Math.round(100 * weight)} %` : ""));
        line.append(cell);
      });
      return line;
    });
    const table = document.getElementById("matrix");
    table.replaceChildren(make("thead"), make("tbody"));
    table.tHead.append(head);
    table.tBodies[0].append(...rows);
  }
}

bpe.unpackAll(JSON.parse(document.getElementById("data").textContent)).then((data) => {
  const page = new AttentionPage(data);
  addEventListener("resize", () => page.lines(page.weights));
  document.documentElement.dataset.ready = "";
});
