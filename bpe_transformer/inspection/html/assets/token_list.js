// A list of tokens that keys and pointer walk through; one of them is chosen.

const SHOWN = 4000; // tokens drawn at first

class TokenList {
  // box: a listbox. chosen(place): called when another token is pointed at, with -1 for none. label(id): how it is written.
  constructor(box, tokens, { chosen, label = null, more = null }) {
    Object.assign(this, { box, tokens, chosen, label, more });
    this.ids = [];
    this.drawn = []; // the ids on the page, and their elements
    this.spans = [];
    this.at = -1;
    this.limit = SHOWN;
    const index = (event) => this.spans.indexOf(event.target.closest(".t"));
    box.addEventListener("pointerover", (event) => this.inspect(index(event)));
    box.addEventListener("click", (event) => this.inspect(index(event)));
    box.addEventListener("keydown", (event) => this.move(event));
    more?.addEventListener("click", () => {
      this.limit = Infinity;
      this.show(this.ids);
    });
  }

  move(event) {
    const last = this.spans.length - 1;
    const to = {
      ArrowRight: this.at + 1, ArrowLeft: this.at - 1, ArrowDown: this.below(1), ArrowUp: this.below(-1), Home: 0, End: last,
    }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.inspect(Math.max(0, Math.min(last, to)));
    this.spans[this.at]?.scrollIntoView({ block: "nearest" });
  }

  // The token in the line above or below that is nearest.
  below(direction) {
    const { spans } = this;
    const here = spans[this.at]?.getClientRects()[0];
    if (!here) return 0;
    let best = this.at;
    let bestDistance = Infinity;
    let line = null;
    for (let i = this.at + direction; i >= 0 && i < spans.length; i += direction) {
      const there = spans[i].getClientRects()[0];
      if (Math.abs(there.top - here.top) < 4) continue;
      line ??= there.top;
      if (Math.abs(there.top - line) >= 4) break;
      const distance = Math.abs(there.left - here.left);
      if (distance < bestDistance) [best, bestDistance] = [i, distance];
    }
    return best;
  }

  // Shows ids, and redraws only the tokens between the common beginning and the common end of the old and the new ones.
  show(ids) {
    this.ids = ids;
    const shown = ids.slice(0, this.limit);
    const old = this.drawn;
    let first = 0;
    while (first < old.length && first < shown.length && old[first] === shown[first]) first++;
    let same = 0;
    while (same < Math.min(old.length, shown.length) - first && old[old.length - 1 - same] === shown[shown.length - 1 - same]) same++;
    const after = this.spans[old.length - same] ?? null;
    for (const span of this.spans.slice(first, old.length - same)) {
      if (span.nextSibling?.nodeName === "BR") span.nextSibling.remove();
      span.remove();
    }
    const fragment = document.createDocumentFragment();
    const fresh = shown.slice(first, shown.length - same).map((id) => {
      const label = this.label?.(id);
      const span = this.tokens.span(id, label);
      span.setAttribute("role", "option");
      fragment.append(span);
      if (label === undefined && this.tokens.write(id).includes("↵")) fragment.append(document.createElement("br"));
      return span;
    });
    this.box.insertBefore(fragment, after);
    this.spans = [...this.spans.slice(0, first), ...fresh, ...this.spans.slice(old.length - same)];
    this.drawn = shown;
    if (this.at >= shown.length) this.inspect(shown.length - 1);
    else this.mark(this.at);
    if (this.more) {
      this.more.hidden = shown.length === ids.length;
      this.more.textContent = `Show ${view.times(ids.length - shown.length, "more token")}`;
    }
  }

  redraw() {
    this.box.replaceChildren();
    this.drawn = [];
    this.spans = [];
    this.show(this.ids);
  }

  mark(index) {
    const name = `${this.box.id}-at`;
    this.marked?.removeAttribute("id");
    this.marked?.setAttribute("aria-selected", "false");
    this.marked?.classList.remove("at");
    const span = (this.marked = this.spans[index]);
    if (!span) return this.box.removeAttribute("aria-activedescendant");
    span.classList.add("at");
    span.id = name;
    span.setAttribute("aria-selected", "true");
    this.box.setAttribute("aria-activedescendant", name);
  }

  inspect(index) {
    if (index < 0 && this.ids.length) return;
    this.at = index;
    this.mark(index);
    this.chosen(index);
  }

  // Chooses nothing, without a word to anybody.
  leave() {
    this.at = -1;
    this.mark(-1);
  }
}
