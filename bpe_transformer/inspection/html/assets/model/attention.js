// Attention: every layer and head as a small picture, and one of them in words.

const MOST_CELLS = 2500; // of a matrix that is written out

class AttentionView {
  constructor(page) {
    this.page = page;
    this.kinds = {};
    this.kind = null;
    this.layer = null; // an index; null: the mean
    this.head = null;
    this.at = 0;
    this.pointed = false; // whether somebody has chosen a row of this kind
    view.get("unit").addEventListener("change", () => this.draw());
    view.get("kind").addEventListener("change", (event) => this.choose({ kind: event.target.value }));
    const rows = view.get("rows");
    const index = (event) => [...rows.children].indexOf(event.target.closest(".w"));
    rows.addEventListener("click", (event) => index(event) >= 0 && this.point(index(event), true));
    rows.addEventListener("keydown", (event) => {
      const last = rows.children.length - 1;
      const to = { ArrowRight: this.at + 1, ArrowDown: this.at + 1, ArrowLeft: this.at - 1, ArrowUp: this.at - 1, Home: 0, End: last }[event.key];
      if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      this.point(Math.max(0, Math.min(last, to)), true);
    });
  }

  // Shows other weights; the kind, layer and head that were chosen stay where there are such.
  update(kinds) {
    this.kinds = kinds;
    const names = Object.keys(kinds);
    view.get("attention-body").hidden = !names.length;
    if (!names.length) return;
    if (!names.includes(this.kind)) {
      this.kind = names[0];
      [this.layer, this.head] = [kinds[this.kind].weights.length - 1, null];
    }
    const known = [...view.get("kind").querySelectorAll("input")].map((input) => input.value);
    if (known.join() !== names.join()) {
      const choices = names.map((name) => {
        const input = view.element("input", { type: "radio", name: "kind", value: name });
        input.checked = name === this.kind;
        return view.element("label", {}, input, view.element("span", {}, kinds[name].title));
      });
      view.get("kind").replaceChildren(view.get("kind").querySelector("legend"), ...choices);
      view.get("kind").hidden = names.length < 2;
    }
    this.draw();
  }

  choose(change) {
    if (change.kind !== undefined) this.pointed = false;
    Object.assign(this, change);
    const layers = this.kinds[this.kind].weights;
    if (this.layer !== null && this.layer >= layers.length) this.layer = layers.length - 1;
    if (this.head !== null && this.head >= layers[0].length) this.head = null;
    this.draw();
  }

  draw() {
    const kind = this.kinds[this.kind];
    if (!kind) return;
    const unit = view.get("unit").querySelector("input:checked").value;
    const fold = (ids) => units.fold(this.page.vocabulary, ids, unit, this.page.folding);
    this.rows = fold(kind.rows);
    this.columns = kind.rows === kind.columns ? this.rows : fold(kind.columns);
    const last = Math.max(0, this.rows.names.length - 1);
    if (!this.pointed) this.at = this.kind === "decoder" ? last : 0; // the first word of a text has no past to look at
    this.at = Math.min(this.at, last);
    this.folded = kind.weights.map((heads) => heads.map((rows) => units.folded(rows, this.rows, this.columns)));
    this.drawHeads();
    this.drawMap();
  }

  // The weights of a layer and a head; null: the mean of all.
  map(layer, head) {
    const layers = layer === null ? this.folded : [this.folded[layer]];
    return meanRows(layers.flatMap((heads) => (head === null ? heads : [heads[head]])));
  }

  name(layer, head) {
    const count = this.folded.length;
    const heads = this.folded[0].length;
    const first = layer === null ? `mean of ${count} layers` : `layer ${layer + 1} of ${count}`;
    if (heads === 1) return first;
    return `${first}, ${head === null ? `mean of ${heads} heads` : `head ${head + 1} of ${heads}`}`;
  }

  drawHeads() {
    const count = this.folded.length;
    const heads = this.folded[0].length;
    const layers = [...Array(count).keys(), ...(count > 1 ? [null] : [])];
    const columns = heads > 1 ? [...Array(heads).keys(), null] : [0];
    const cells = layers.map((layer) => view.element("tr", {},
      view.element("th", { scope: "row" }, layer === null ? "mean" : `layer ${layer + 1}`),
      ...columns.map((head) => {
        const chosen = layer === this.layer && (head === this.head || heads === 1);
        const button = view.element("button", { type: "button", "aria-pressed": String(chosen), "aria-label": this.name(layer, head), title: this.name(layer, head) });
        button.append(this.page.picture(this.map(layer, head), this.columns.names.length));
        button.addEventListener("click", () => {
          this.choose({ layer, head });
          view.get("heads").querySelector("[aria-pressed=true]")?.focus();
        });
        return view.element("td", {}, button);
      })));
    const top = heads > 1 ? columns.map((head) => view.element("th", { scope: "col" }, head === null ? "mean" : `head ${head + 1}`)) : [];
    view.get("heads").tHead.replaceChildren(view.element("tr", {}, view.element("th", {}), ...top));
    view.get("heads").tBodies[0].replaceChildren(...cells);
    view.get("heads").parentElement.hidden = count * heads < 2;
  }

  drawMap() {
    this.weights = this.map(this.layer, this.folded[0].length === 1 ? 0 : this.head);
    view.get("map-title").textContent = `${this.kinds[this.kind].title}: ${this.name(this.layer, this.head)}`;
    view.get("rows").replaceChildren(...this.rows.names.map((name, i) => view.element("span", { class: "w", role: "option", id: `row-${i}` }, name)));
    this.drawMatrix();
    this.point(this.at);
  }

  drawMatrix() {
    const [rows, columns] = [this.rows.names, this.columns.names];
    const table = view.get("matrix");
    const fits = rows.length * columns.length <= MOST_CELLS;
    view.get("matrix-details").hidden = !fits;
    if (!fits) return table.replaceChildren();
    const many = columns.length > 16;
    table.classList.toggle("many", many);
    const head = view.element("tr", {}, view.element("th", {}), ...columns.map((name) => view.element("th", { scope: "col" }, view.element("span", {}, name))));
    const body = rows.map((name, r) => view.element("tr", {},
      view.element("th", { scope: "row", title: name }, name),
      ...columns.map((column, c) => {
        const weight = this.weights[r][c] ?? 0;
        return view.element("td", { style: `--weight:${weight.toFixed(3)}`, title: `${name} → ${column}: ${weight.toFixed(3)}` }, many || weight < 0.05 ? "" : weight.toFixed(2).replace("0.", "."));
      })));
    table.replaceChildren(view.element("thead", {}, head), view.element("tbody", {}, ...body));
  }

  // Chooses a row: what it looks at is shaded.
  point(row, pointed = this.pointed) {
    this.at = row;
    this.pointed = pointed;
    const options = [...view.get("rows").children];
    options.forEach((option, i) => {
      option.classList.toggle("at", i === row);
      option.setAttribute("aria-selected", String(i === row));
    });
    if (options.length) view.get("rows").setAttribute("aria-activedescendant", `row-${row}`);
    else view.get("rows").removeAttribute("aria-activedescendant");
    [...(view.get("matrix").tBodies[0]?.rows ?? [])].forEach((line, i) => line.classList.toggle("at", i === row));
    const weights = Array.from(this.columns.names, (_, i) => this.weights[row]?.[i] ?? 0);
    const largest = Math.max(...weights);
    view.get("columns").replaceChildren(...this.columns.names.map((name, i) => view.element("span",
      { class: largest > 0 && weights[i] === largest ? "w strong" : "w", style: `--weight:${weights[i].toFixed(3)}` },
      name, weights[i] >= 0.05 ? view.element("small", {}, weights[i].toFixed(2)) : null)));
    const best = weights.indexOf(largest);
    view.get("map-readout").textContent = this.rows.names.length && largest > 0 ? `${this.rows.names[row]} looks most at ${this.columns.names[best]}: ${view.percent(largest)} of its attention` : "";
  }
}
