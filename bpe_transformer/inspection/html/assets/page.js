// Sets the page up: unpacks the data, fills in the facts, starts every section.

class Report {
  async load() {
    this.data = JSON.parse(view.get("data").textContent);
    const [facts, splitting, trace] = await bpe.unpackAll([this.data.vocabulary, this.data.splitting, this.data.trace]);
    this.vocabulary = new bpe.Vocabulary(facts, splitting ?? NOT_SPLIT);
    this.tokens = new view.Tokens(this.vocabulary);
    this.trace = trace && unfold(trace);
    this.facts = new TokenFacts(this.vocabulary, this.tokens, this.trace);
    topFacts(this.data);
    if (splitting) this.playground = new Playground(this);
    else {
      view.get("playground-body").hidden = true;
      view.get("playground-note").hidden = false;
      view.get("playground-note").textContent = this.data.no_playground;
    }
    if (facts.left.length) this.timeline = new Timeline(this);
    else {
      view.get("timeline-body").hidden = true;
      view.get("timeline-lead").textContent = "This vocabulary has no merges: it is its base alphabet.";
    }
    this.charts = new Charts(this);
    this.charts.markMerge(this.timeline?.now ?? 0);
    document.documentElement.dataset.ready = "";
  }
}

const ANYTHING = { source: "[^]+", starts: [0], kinds: [0], space: [], word: [], first_letter: 0x4e00 };
const NOT_SPLIT = { normalization: null, charsmap: null, squeeze_spaces: false, protected: null, patterns: [ANYTHING] };

const report = new Report();
themes(() => report.charts?.draw());
start(() => report.load());
