// Sets the page up: unpacks the data and the weights, builds the model, and has everything follow what is typed.

const TASKS = {
  translation: ["Translate", "Type a text, and the model translates it here, in your browser. Choose a token to see why it was written and what the runners-up were; choose one of these to write it instead."],
  "language-model": ["Continue a text", "Type the beginning of a text, and the model goes on. Choose a token to see why it was written and what the runners-up were; choose one of these to write it instead."],
  "masked-language-model": ["Fill the gaps", "Type a text with gaps, and the model says what is likely to stand in them. Choose a candidate to put it in."],
  classification: ["Label a text", "Type a text, and the model says how probable each label is."],
};
const GREETINGS = { English: "Three cats read five books.", 한국어: "고양이 세 마리가 책을 읽었다.", Emoji: "👩‍🚀 lands 🌕 🎉" };
const LONGEST_NAME = 28; // characters of an example on its button

class ModelPage {
  async load() {
    this.data = JSON.parse(view.get("data").textContent);
    this.facts = this.data.model;
    const { vocabulary, splitting, trace, weights } = this.data;
    const [facts, split, columns, bytes] = await Promise.all([
      bpe.unpackAll(vocabulary), bpe.unpackAll(splitting), bpe.unpackAll(trace), bpe.inflate(view.get("weights").textContent),
    ]);
    this.vocabulary = new bpe.Vocabulary(facts, split);
    this.tokens = new view.Tokens(this.vocabulary);
    this.tokenFacts = new TokenFacts(this.vocabulary, this.tokens, columns && unfold(columns));
    this.folding = { specials: new Set(this.facts.special_ids), alone: this.facts.letters_alone };
    this.model = nn.build(this.facts, new nn.Weights(weights.tensors, bytes));
    topFacts(this.data);
    const [title, lead] = TASKS[this.facts.task];
    view.get("model-title").textContent = title;
    view.get("model-lead").textContent = lead;
    view.get("text-label").textContent = title;
    this.text = view.get("text");
    this.inspector = view.get("inspector");
    this.predictions = new Predictions(this);
    this.attention = new AttentionView(this);
    this.list = new TokenList(view.get("tokens"), this.tokens, { chosen: (place) => this.inspectRead(place), more: view.get("more") });
    const Part = { "masked-language-model": Filling, classification: Labelling }[this.facts.task] ?? Writing;
    this.part = new Part(this);
    this.describeAttention();
    this.training = new Training(this);
    this.examples();
    this.text.addEventListener("input", () => this.update());
    this.update();
    document.documentElement.dataset.ready = "";
  }

  examples() {
    const { task, mask } = this.facts;
    const gap = task === "masked-language-model" ? mask.text : null;
    const given = this.data.examples.map((text) => [text.length > LONGEST_NAME ? `${text.slice(0, LONGEST_NAME)}…` : text, text]);
    const greetings = Object.entries(GREETINGS).map(([name, text]) => [name, gap ? text.replace(/\S+(?=\s\S+$)/, gap) : text]);
    const all = [...given, ...greetings];
    for (const [name, text] of all) {
      const button = view.element("button", { type: "button" }, name);
      button.addEventListener("click", () => {
        this.text.value = text;
        this.list.leave();
        this.part.list?.leave();
        this.update();
      });
      document.querySelector(".examples").append(button);
    }
    const words = (text) => text.split(/\s+/).length;
    this.text.value = given.reduce((best, one) => (words(one[1]) > words(best[1]) ? one : best), all[0])[1];
  }

  describeAttention() {
    const none = this.facts.family === "lstm";
    view.get("attention-lead").textContent = none
      ? "This model has no attention: its decoder knows the source by one vector only."
      : "Every layer and head, tokens folded to words: the columns of a word’s tokens are summed, their rows averaged. Choose a picture, then a word: what it looks at is shaded.";
    if (none) view.get("attention-body").hidden = true;
  }

  // Encodes what is typed, and hands it to the model. On a character outside the alphabet a note says which it was, and
  // stays until the text can be read.
  update() {
    const began = performance.now();
    this.unread = "";
    try {
      const ids = this.vocabulary.ids(this.text.value, this.part.encoding ?? {});
      this.list.show(ids);
      view.get("tokens-title").textContent = `${this.facts.task === "translation" ? "Source" : "Text"}: ${view.times(ids.length, "token")}`;
      this.part.update(ids);
      if (this.list.at >= 0) this.inspectRead(this.list.at);
      else if (!this.part.list) this.list.inspect(ids.length ? Math.max(0, ids.indexOf(this.facts.mask?.id)) : -1); // a gap first
    } catch (error) {
      if (!(error instanceof bpe.UnknownCharacter)) throw error;
      const code = error.character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
      this.unread = `“${error.character}” (U+${code}) is not in this vocabulary’s alphabet, so the model cannot read the text.`;
      this.part.stop?.();
      this.say("");
    }
    this.spent = performance.now() - began; // milliseconds of the last key
  }

  // A note of a part; that the text cannot be read goes before it.
  say(note) {
    const problem = view.get("problem");
    const text = this.unread || note;
    problem.hidden = !text;
    problem.textContent = text;
  }

  // Shows other parts in the inspector: if one of its buttons was in focus, the keyboard goes on there, not at the top.
  inspect(...parts) {
    const held = this.inspector.contains(document.activeElement);
    this.inspector.replaceChildren(...parts);
    if (held) this.inspector.focus({ preventScroll: true });
  }

  inspectRead(place) {
    const id = this.list.ids[place];
    if (id === undefined) return this.inspect(view.element("p", { class: "empty" }, "Type something, then point at a token."));
    this.inspect(...this.part.why(place), ...this.tokenFacts.describe(id));
  }

  // The text of ids, without special tokens.
  decode(ids) {
    return this.vocabulary.decode(ids.filter((id) => id === this.vocabulary.facts.unk || !this.folding.specials.has(id)));
  }

  // Weights (rows, columns) as a small picture, one dot each.
  picture(rows, columns) {
    const canvas = view.element("canvas", { width: Math.max(columns, 1), height: Math.max(rows.length, 1), "aria-hidden": "true" });
    const context = canvas.getContext("2d");
    const image = context.createImageData(canvas.width, canvas.height);
    const [red, green, blue] = this.accent();
    rows.forEach((row, r) => {
      for (let c = 0; c < columns; c++) image.data.set([red, green, blue, Math.round(255 * Math.min(1, row[c] ?? 0) ** 0.7)], 4 * (r * canvas.width + c));
    });
    context.putImageData(image, 0, 0);
    return canvas;
  }

  accent() {
    if (!this.accentColour) {
      const probe = view.element("canvas", { width: 1, height: 1 }).getContext("2d");
      probe.fillStyle = Plots.prototype.colour("accent");
      probe.fillRect(0, 0, 1, 1);
      this.accentColour = [...probe.getImageData(0, 0, 1, 1).data.slice(0, 3)];
    }
    return this.accentColour;
  }

  redraw() {
    this.accentColour = null;
    this.training?.draw();
    this.attention?.draw();
  }
}

const page = new ModelPage();
themes(() => page.redraw());
start(() => page.load());
