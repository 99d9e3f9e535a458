// How text becomes pre-tokens: special and added tokens are found, the rest is normalised and split, as the Python encoder does it.

// --- normalisation ---------------------------------------------------------------------------------------------------

// One of Unicode's forms, or SentencePiece's character map and treatment of spaces; see tokenizer/splitting/precompiled_charsmap.py.
bpe.Normalizer = class {
  constructor({ normalization, charsmap, squeeze_spaces }) {
    this.form = normalization;
    this.squeeze = squeeze_spaces;
    this.map = new Map(charsmap ?? []);
    this.firsts = new Set([...this.map.keys()].map((key) => key[0]));
    this.reach = Math.max(0, ...new Set([...this.map.keys()].map((key) => key.length)));
  }

  normalize(text) {
    if (this.form) return text.normalize(this.form);
    if (!this.map.size && !this.squeeze) return text;
    const steps = [];
    for (let i = 0; i < text.length; ) {
      const taken = this.firsts.has(text[i]) ? this.longest(text, i) : text[i];
      steps.push(this.map.get(taken) ?? taken);
      i += taken.length;
    }
    if (this.squeeze) this.squeezed(steps);
    return steps.join("");
  }

  // The longest entry at a place, or one unit of the text.
  longest(text, place) {
    for (let size = this.reach; size > 0; size--) {
      const part = text.slice(place, place + size);
      if (this.map.has(part)) return part;
    }
    return text[place];
  }

  // Without spaces at the start, after a space, and, written either way, at the end.
  squeezed(steps) {
    let afterSpace = true;
    steps.forEach((step, i) => {
      if (afterSpace) steps[i] = step.replace(/^ +/, "");
      if (steps[i]) afterSpace = steps[i].endsWith(" ");
    });
    for (let i = steps.length - 1; i >= 0; i--) if ((steps[i] = steps[i].replace(/[ ▁]+$/, ""))) break;
  }
};

// --- pre-tokens -----------------------------------------------------------------------------------------------------

// Splits text by an expression over kinds of characters; see js_patterns.py.
bpe.Splitter = class {
  constructor({ source, starts, kinds, space, word, first_letter }) {
    this.expression = new RegExp(source, "g");
    this.letters = new Uint16Array(0x110000);
    for (let i = 0; i < starts.length; i++) {
      this.letters.fill(first_letter + kinds[i], starts[i], i + 1 < starts.length ? starts[i + 1] : 0x110000);
    }
    this.spaces = new Set(space.map((kind) => first_letter + kind));
    this.words = new Set(word.map((kind) => first_letter + kind));
  }

  isWord(codePoint) {
    return this.words.has(this.letters[codePoint]);
  }

  isSpace(codePoint) {
    return this.spaces.has(this.letters[codePoint]);
  }

  // Calls visit(span, matched) for every match and for the text between matches.
  each(text, visit) {
    const { kinds, places } = this.kindsOf(text);
    const at = places ? (i) => places[i] : (i) => i;
    let end = 0;
    for (const match of kinds.matchAll(this.expression)) {
      if (!match[0]) continue;
      if (match.index > end) visit(text.slice(at(end), at(match.index)), false);
      end = match.index + match[0].length;
      visit(text.slice(at(match.index), at(end)), true);
    }
    if (end < kinds.length) visit(text.slice(at(end)), false);
  }

  // One letter for each character's kind, and where characters begin in `text` if some take two units of it.
  kindsOf(text) {
    const units = new Uint16Array(text.length);
    let places = null;
    let n = 0;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit >= 0xd800 && unit < 0xdc00 && i + 1 < text.length) {
        places ??= Uint32Array.from({ length: text.length + 1 }, (_, k) => k);
        places[n] = i;
        units[n++] = this.letters[text.codePointAt(i)];
        i++;
      } else {
        if (places) places[n] = i;
        units[n++] = this.letters[unit];
      }
    }
    if (places) places[n] = text.length;
    let kinds = "";
    for (let i = 0; i < n; i += 8192) kinds += String.fromCharCode.apply(null, units.subarray(i, Math.min(i + 8192, n)));
    return { kinds, places };
  }
};

// --- special and added tokens in text ----------------------------------------------------------------------------------

// Finds tokens {text, sought, id, flags}: the leftmost, and of those that begin there the longest. `space`, if any, stands
// for itself and for a space, in tokens as in text; see tokenizer/encoding/special_tokens.py.
bpe.Finder = class {
  constructor(tokens, space, splitter) {
    const size = ({ sought }) => new TextEncoder().encode(sought).length;
    this.tokens = [...tokens].sort((a, b) => size(b) - size(a));
    this.splitter = splitter;
    const escaped = ({ sought }) => {
      const literal = (text) => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
      return space === null ? literal(sought) : sought.split(/[ ]/).flatMap((part) => part.split(space)).map(literal).join(`(?: |${space})`);
    };
    this.expression = tokens.length ? new RegExp(this.tokens.map((token) => `(${escaped(token)})`).join("|"), "g") : null;
  }

  // {start, part, token after it or null} for the parts of a text.
  *split(text) {
    let start = 0;
    for (const match of this.expression ? text.matchAll(this.expression) : []) {
      const token = this.tokens[match.findIndex((group, i) => i > 0 && group !== undefined) - 1];
      let begin = match.index;
      let stop = begin + match[0].length;
      if (token.flags.includes("single_word") && (this.isWord(text, begin, -1) || this.isWord(text, stop, 1))) continue;
      if (token.flags.includes("lstrip")) while (begin > start && this.splitter.isSpace(text.charCodeAt(begin - 1))) begin--;
      if (token.flags.includes("rstrip")) while (stop < text.length && this.splitter.isSpace(text.charCodeAt(stop))) stop++;
      yield { start, part: text.slice(start, begin), token };
      start = stop;
    }
    yield { start, part: text.slice(start), token: null };
  }

  // Whether a word goes on before (-1) or after (1) a place.
  isWord(text, at, direction) {
    const neighbour = direction < 0 ? Array.from(text.slice(Math.max(0, at - 2), at)).at(-1) : Array.from(text.slice(at, at + 2))[0];
    return neighbour !== undefined && this.splitter.isWord(neighbour.codePointAt(0));
  }
};
