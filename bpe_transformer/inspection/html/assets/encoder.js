// The vocabulary of the page and its encoder: the same ids as the Python encoder's, whatever the browser.
// Works on plain data (see `vocabulary` in report.py) and does not use the DOM.

const bpe = {};

// --- columns of numbers, as report.py packs them: differences, one plane for each of the four bytes, deflate, base64 ---

bpe.inflate = async function (data) {
  const text = atob(data);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
};

bpe.unpack = async function (packed) {
  const planes = await bpe.inflate(packed.data);
  const n = packed.length;
  const out = new Uint32Array(n);
  for (let i = 0; i < n; i++) {
    out[i] = planes[i] | (planes[n + i] << 8) | (planes[2 * n + i] << 16) | (planes[3 * n + i] << 24);
  }
  if (packed.delta) for (let i = 1; i < n; i++) out[i] += out[i - 1];
  return out;
};

// Every column in plain data, at any depth, and every packed text; other values stay as they are.
bpe.unpackAll = async function (value) {
  if (typeof value !== "object" || value === null) return value;
  if (typeof value.data === "string") return bpe.unpack(value);
  if (typeof value.json === "string") return JSON.parse(bpe.text(await bpe.inflate(value.json)));
  if (Array.isArray(value)) return Promise.all(value.map(bpe.unpackAll));
  const entries = Object.entries(value).map(async ([name, inner]) => [name, await bpe.unpackAll(inner)]);
  return Object.fromEntries(await Promise.all(entries));
};

// --- merges ---------------------------------------------------------------------------------------------------------

// Pairs of ids to ranks: open addressing over flat arrays, which 200,000 merges fill in a few milliseconds.
bpe.Merges = class {
  constructor(left, right, mergedIds) {
    this.left = left;
    this.right = right;
    this.mergedIds = mergedIds;
    let size = 64;
    while (size < left.length * 2) size *= 2;
    this.mask = size - 1;
    this.slots = new Int32Array(size).fill(-1);
    for (let rank = 0; rank < left.length; rank++) {
      const slot = this.find(left[rank], right[rank]);
      if (this.slots[slot] < 0) this.slots[slot] = rank; // the same pair again, at a higher rank, is never reached
    }
  }

  find(left, right) {
    let slot = (Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b)) >>> 0;
    slot = (slot ^ (slot >>> 15)) & this.mask;
    for (;;) {
      const rank = this.slots[slot];
      if (rank < 0 || (this.left[rank] === left && this.right[rank] === right)) return slot;
      slot = (slot + 1) & this.mask;
    }
  }

  rank(left, right) {
    return this.slots[this.find(left, right)]; // -1 if the two do not merge
  }

  // Merges the ids of one word, lowest rank first, leftmost first among equals, by ranks below `limit` alone.
  // Calls fired(rank) for each merge on the way.
  apply(ids, limit = Infinity, fired = null) {
    const n = ids.length;
    if (n < 2) return ids;
    const next = new Int32Array(n);
    const previous = new Int32Array(n);
    const heap = new bpe.Heap();
    const PLACES = 2 ** 31;
    const candidate = (place) => {
      const rank = this.rank(ids[place], ids[next[place]]);
      if (rank >= 0 && rank < limit) heap.push(rank * PLACES + place);
    };
    for (let i = 0; i < n; i++) {
      next[i] = i + 1 < n ? i + 1 : -1;
      previous[i] = i - 1;
    }
    for (let i = 0; i + 1 < n; i++) candidate(i);
    while (heap.size) {
      const waiting = heap.pop();
      const rank = Math.floor(waiting / PLACES);
      const place = waiting % PLACES;
      const other = next[place];
      if (ids[place] < 0 || other < 0 || ids[place] !== this.left[rank] || ids[other] !== this.right[rank]) continue;
      ids[place] = this.mergedIds[rank];
      ids[other] = -1;
      next[place] = next[other];
      if (next[place] >= 0) previous[next[place]] = place;
      fired?.(rank);
      if (previous[place] >= 0) candidate(previous[place]);
      if (next[place] >= 0) candidate(place);
    }
    return ids.filter((id) => id >= 0);
  }
};

bpe.Heap = class {
  constructor() {
    this.items = [];
  }

  get size() {
    return this.items.length;
  }

  push(item) {
    const items = this.items;
    let i = items.length;
    items.push(item);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (items[parent] <= item) break;
      items[i] = items[parent];
      i = parent;
    }
    items[i] = item;
  }

  pop() {
    const items = this.items;
    const top = items[0];
    const item = items.pop();
    const n = items.length;
    if (n) {
      let i = 0;
      for (let child = 1; child < n; child = 2 * i + 1) {
        if (child + 1 < n && items[child + 1] < items[child]) child++;
        if (items[child] >= item) break;
        items[i] = items[child];
        i = child;
      }
      items[i] = item;
    }
    return top;
  }
};

// --- the vocabulary -------------------------------------------------------------------------------------------------

bpe.UnknownCharacter = class extends Error {
  constructor(character) {
    super(`character outside the alphabet: ${character}`);
    this.character = character;
  }
};

bpe.Vocabulary = class {
  // What `vocabulary` and `splitting` in report.py give, unpacked.
  constructor(facts, splitting) {
    this.facts = facts;
    this.normalizer = new bpe.Normalizer(splitting);
    this.merges = new bpe.Merges(facts.left, facts.right, facts.merged_ids);
    this.protected = splitting.protected && new bpe.Splitter(splitting.protected);
    this.splitters = splitting.patterns.map((pattern) => new bpe.Splitter(pattern));
    this.splitter = this.splitters.at(-1);
    this.utf8 = new TextEncoder();
    this.cache = new Map(); // pre-token → ids, or the character that is unknown
    this.rankOfId = new Map(); // id → rank of its merge, filled at the first look-up
    this.bytesOf = new Map();
    const fixed = (list) => list.map(([id, hex]) => [id, bpe.fromHex(hex)]);
    this.base = fixed(facts.base);
    for (const [id, bytes] of [...this.base, ...fixed(facts.others)]) this.bytesOf.set(id, bytes);
    this.special = new Map(facts.special);
    this.added = new Map(facts.added);
    this.undone = new Map(facts.undone);
    this.alphabet();
    this.finderCache = new Map();
  }

  alphabet() {
    const { unit, word_ends, end_of_word, space_mark, fallback } = this.facts;
    if (unit === "byte") {
      this.ofByte = new Uint32Array(256);
      for (const [id, bytes] of this.base) if (bytes.length === 1) this.ofByte[bytes[0]] = id;
      return;
    }
    const ends = new Set(word_ends);
    const kept = new Set(fallback);
    this.inner = new Map();
    this.last = end_of_word === null ? this.inner : new Map();
    for (const [id, bytes] of this.base) {
      const text = bpe.text(bytes);
      const character = ends.has(id) ? text.slice(0, text.length - end_of_word.length) : text;
      if (!kept.has(id) && [...character].length === 1) (ends.has(id) ? this.last : this.inner).set(character, id);
    }
    if (space_mark !== null && this.inner.has(space_mark)) this.inner.set(" ", this.inner.get(space_mark));
  }

  // The base ids of one pre-token, before any merge; without the white space around a word if the end of words is marked.
  baseIds(pretoken) {
    const { unit, end_of_word, unk, fuse_unk, fallback } = this.facts;
    if (unit === "byte") return Array.from(this.utf8.encode(pretoken), (byte) => this.ofByte[byte]);
    const characters = Array.from(end_of_word === null ? pretoken : this.trimmed(pretoken));
    const ids = [];
    let afterUnknown = false;
    characters.forEach((character, i) => {
      const id = (i + 1 === characters.length ? this.last : this.inner).get(character);
      const wasUnknown = afterUnknown;
      afterUnknown = false;
      if (id !== undefined) ids.push(id);
      else if (fallback.length) for (const byte of this.utf8.encode(character)) ids.push(fallback[byte]);
      else if (unk !== null) {
        if (!(fuse_unk && wasUnknown)) ids.push(unk);
        afterUnknown = true;
      } else throw new bpe.UnknownCharacter(character);
    });
    return ids;
  }

  trimmed(pretoken) {
    const characters = Array.from(pretoken);
    const outside = (character) => !this.splitter.isSpace(character.codePointAt(0));
    const first = characters.findIndex(outside);
    return first < 0 ? "" : characters.slice(first, characters.findLastIndex(outside) + 1).join("");
  }

  encodePretoken(pretoken) {
    let ids = this.cache.get(pretoken);
    if (ids === undefined) {
      if (this.cache.size > 100000) this.cache.clear();
      ids = this.whole(pretoken) ?? this.inTheEnd(this.merges.apply(this.baseIds(pretoken)));
      this.cache.set(pretoken, ids);
    }
    return ids;
  }

  // Tokens that are undone become those that the vocabulary has.
  inTheEnd(ids) {
    return this.undone.size ? Array.from(ids).flatMap((id) => this.undone.get(id) ?? [id]) : ids;
  }

  // With `ignore_merges`, the id of a pre-token that is a token as a whole.
  whole(pretoken) {
    if (!this.facts.ignore_merges) return undefined;
    if (!this.wholeTokens) {
      this.wholeTokens = new Map();
      const kept = new Set([...this.special.values(), ...this.added.values()]);
      for (let id = 0; id < this.facts.vocab_size; id++) {
        const text = kept.has(id) ? "" : bpe.binary(this.decodedBytes(id));
        if (text) this.wholeTokens.set(text, id);
        this.longest = Math.max(this.longest ?? 0, text.length);
      }
    }
    if (pretoken.length > this.longest) return undefined;
    const id = this.wholeTokens.get(bpe.binary(this.utf8.encode(pretoken)));
    return id === undefined ? undefined : [id];
  }

  // [{pretoken, ids, kind}]: "text" for pre-tokens, "special" for special and added tokens. Lone surrogates become U+FFFD.
  // Special tokens in the text become tokens where `specials` is true or names them, else they are plain text; added tokens
  // always become tokens.
  encode(text, { specials = false } = {}) {
    const out = [];
    const add = (pretoken) => {
      const ids = this.encodePretoken(pretoken);
      if (ids.length) out.push({ pretoken, ids, kind: "text" });
    };
    const split = (text, step = 0) =>
      step === this.splitters.length ? add(text) : this.splitters[step].each(text, (pretoken) => split(pretoken, step + 1));
    const plain = (text) =>
      this.protected ? this.protected.each(text, (span, matched) => (matched ? add : split)(span)) : split(text);
    const named = (token) => token && out.push({ pretoken: token.text, ids: [token.id], kind: "special" });
    const { early, late } = this.finders(specials);
    for (const { start, part, token } of early.split(text.toWellFormed())) {
      const normal = this.normalizer.normalize(part);
      const spaced = this.prefixedEarly(start, normal) ? ` ${normal}` : normal;
      for (const { start: at, part: subsegment, token: later } of late.split(spaced)) {
        plain(this.prefixedLate(start + at, subsegment) ? ` ${subsegment}` : subsegment);
        named(later);
      }
      named(token);
    }
    return out;
  }

  // Whether a space comes before normalised text whatever it begins with, or only where it begins with none.
  prefixedEarly(start, text) {
    const { prefix_space } = this.facts;
    return text !== "" && (prefix_space === "always" || (prefix_space === "first" && start === 0));
  }

  prefixedLate(at, text) {
    const { prefix_space, space_mark } = this.facts;
    const wanted = prefix_space === "always_if_none" || (prefix_space === "first_if_none" && at === 0);
    return wanted && text !== "" && !text.startsWith(" ") && !text.startsWith(space_mark ?? " ");
  }

  ids(text, options) {
    return this.encode(text, options).flatMap((part) => part.ids);
  }

  // Tokens are searched for in the text as it is; those with the flag "normalized" in the normalised text between the others.
  finders(specials) {
    const key = JSON.stringify(specials);
    let found = this.finderCache.get(key);
    if (!found) {
      const { prefix_space, space_mark, token_flags } = this.facts;
      const allowed = [...this.special].filter(([text]) => specials === true || (specials && specials.includes(text)));
      const tokens = [...allowed, ...this.added].map(([text, id]) => ({
        text, sought: text, id, flags: token_flags[text] ?? [],
      }));
      const isLate = (token) => token.flags.includes("normalized");
      const late = tokens.filter(isLate).map((token) => {
        const normal = this.normalizer.normalize(token.text);
        return { ...token, sought: prefix_space === "always" ? ` ${normal}` : normal };
      });
      found = {
        early: new bpe.Finder(tokens.filter((token) => !isLate(token)), null, this.splitter),
        late: new bpe.Finder(late, space_mark, this.splitter),
      };
      this.finderCache.set(key, found);
    }
    return found;
  }

  // --- words over time ---

  // One word, taken as one pre-token, after the first `merges` merges.
  segment(word, merges) {
    return this.inTheEnd(this.merges.apply(this.baseIds(word), merges));
  }

  // The ranks of the merges that build a word, in the order in which they are applied.
  firing(word) {
    const ranks = [];
    this.merges.apply(this.baseIds(word), Infinity, (rank) => ranks.push(rank));
    return ranks;
  }

  // --- tokens ---

  // The rank that makes a token; undefined for base and special tokens.
  rankOf(id) {
    if (!this.rankOfId.size) {
      const { merged_ids } = this.facts;
      for (let rank = merged_ids.length - 1; rank >= 0; rank--) this.rankOfId.set(merged_ids[rank], rank);
    }
    return this.rankOfId.get(id);
  }

  // A token's bytes, with the end-of-word mark where it has one; none for an id without a token.
  bytes(id) {
    const known = this.bytesOf.get(id);
    if (known) return known;
    const rank = this.rankOf(id);
    if (rank === undefined) return new Uint8Array();
    const left = this.bytes(this.facts.left[rank]);
    const right = this.bytes(this.facts.right[rank]);
    const bytes = new Uint8Array(left.length + right.length);
    bytes.set(left);
    bytes.set(right, left.length);
    this.bytesOf.set(id, bytes);
    return bytes;
  }

  // The text of ids. What ends a word, or stands for a space, is one; the space that encoding puts before a text is left out.
  decode(ids) {
    const { end_of_word, prefix_space } = this.facts;
    const bytes = ids.flatMap((id) => {
      const token = Array.from(this.decodedBytes(id));
      return this.endsWord(id) ? [...token.slice(0, token.length - this.utf8.encode(end_of_word).length), 0x20] : token;
    });
    let text = bpe.text(Uint8Array.from(bytes));
    if (end_of_word !== null && text.endsWith(" ") && ids.length && this.endsWord(ids.at(-1))) text = text.slice(0, -1);
    return prefix_space !== "never" && text.startsWith(" ") ? text.slice(1) : text;
  }

  // Whether a token ends with the mark of a word's end, not merely with its text.
  endsWord(id) {
    if (this.facts.end_of_word === null) return false;
    this.wordEnds ??= new Set(this.facts.word_ends);
    for (let at = id; ; at = this.facts.right[this.rankOf(at)]) {
      if (this.wordEnds.has(at)) return true;
      if (this.rankOf(at) === undefined) return false;
    }
  }

  // The bytes that a token stands for in text; with the mark where it ends a word.
  decodedBytes(id) {
    const { space_mark, fallback } = this.facts;
    const byte = fallback.indexOf(id);
    if (byte >= 0) return Uint8Array.of(byte);
    const bytes = this.bytes(id);
    return space_mark === null
      ? bytes
      : this.utf8.encode(bpe.text(bytes).replaceAll(space_mark, " "));
  }
};

bpe.fromHex = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (two) => parseInt(two, 16));
bpe.text = (bytes) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
bpe.binary = (bytes) => String.fromCharCode.apply(null, bytes);
