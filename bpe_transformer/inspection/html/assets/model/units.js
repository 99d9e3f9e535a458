// Tokens folded to words or characters, as inspection/attention/units.py folds them: columns of a unit's tokens are summed,
// their rows averaged; a token that reaches over several units gives each the share of its bytes.

const units = {};

// White space as Unicode has it, which JavaScript's \s has not quite; Python's str.isspace counts four controls more.
units.isWhite = (char) => /^\p{White_Space}$/u.test(char);
units.isSpace = (char) => /^[\p{White_Space}\x1c-\x1f]$/u.test(char);

// {names: text of each unit, shares: by token, [unit, share] of each that it lies in}.
// specials: a set of ids that are units by themselves. alone: blocks of scripts that are written without spaces.
units.fold = function (vocabulary, ids, unit, { specials, alone }) {
  const names = [];
  const spans = ids.map(() => []);
  let run = [];
  const close = () => {
    for (const { name, sizes } of units.ofRun(run, unit, vocabulary.facts.end_of_word, alone)) {
      for (const [place, size] of sizes) spans[place].push([names.length, size]);
      names.push(name);
    }
    run = [];
  };
  ids.forEach((id, place) => {
    const bytes = vocabulary.bytes(id);
    if (unit === "tokens" || specials.has(id) || !bytes.length) {
      close();
      spans[place].push([names.length, 1]);
      names.push(bytes);
    } else run.push({ place, bytes });
  });
  close();
  const shares = spans.map((list) => {
    const total = list.reduce((sum, [, size]) => sum + size, 0);
    return list.map(([number, size]) => [number, size / total]);
  });
  return { names: names.map((bytes) => view.visible(bytes)), shares };
};

// The units of adjacent tokens: bytes without white space around, and how many of them belong to which token.
units.ofRun = function (run, unit, mark, alone) {
  if (!run.length) return [];
  const end = new TextEncoder().encode(mark ?? "");
  const bytes = [];
  const owners = [];
  const ends = new Set(); // where a mark ends a word
  for (const { place, bytes: token } of run) {
    const marked = end.length > 0 && token.length >= end.length && end.every((byte, i) => token[token.length - end.length + i] === byte);
    let kept = marked ? token.subarray(0, token.length - end.length) : token;
    if (!kept.length) kept = Uint8Array.of(0x20);
    for (const byte of kept) {
      bytes.push(byte);
      owners.push(place);
    }
    if (marked) ends.add(bytes.length);
  }
  const whole = Uint8Array.from(bytes);
  const borders = units.borders(whole, unit, ends, alone);
  return borders.slice(0, -1).map((start, i) => {
    const sizes = new Map();
    for (const owner of owners.slice(start, borders[i + 1])) sizes.set(owner, (sizes.get(owner) ?? 0) + 1);
    return { name: units.stripped(whole.subarray(start, borders[i + 1])), sizes };
  });
};

units.stripped = function (bytes) {
  const white = (byte) => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
  let [start, end] = [0, bytes.length];
  while (start < end && white(bytes[start])) start++;
  while (end > start && white(bytes[end - 1])) end--;
  return start < end ? bytes.subarray(start, end) : bytes;
};

// The characters of bytes, one for each byte that belongs to none, and where each begins.
units.characters = function (bytes) {
  const found = [];
  for (let i = 0; i < bytes.length; ) {
    const size = characterSize(bytes, i);
    found.push({ char: size ? bpe.text(bytes.subarray(i, i + size)) : "", at: i });
    i += size || 1;
  }
  return found;
};

// Where units begin, and the end: white space before a unit belongs to it, and at the very end to the last.
units.borders = function (bytes, unit, ends, alone) {
  const characters = units.characters(bytes);
  const white = characters.map(({ char }) => units.isWhite(char));
  const space = characters.map(({ char }) => units.isSpace(char));
  const starts = new Set();
  if (unit === "chars") {
    for (const start of units.clusters(characters)) if (!units.isSpace(characters[start].char)) starts.add(start);
  } else {
    characters.forEach((_, i) => !white[i] && (i === 0 || white[i - 1]) && starts.add(i));
    for (const start of units.lettersAlone(characters, alone)) starts.add(start);
  }
  const borders = new Set([0, bytes.length, ...ends]);
  for (let start of starts) {
    while (start > 0 && space[start - 1]) start--;
    borders.add(characters[start].at);
  }
  return [...borders].sort((a, b) => a - b);
};

// First characters of what a reader takes for one character, with its combining marks.
units.clusters = function (characters) {
  const text = characters.map(({ char }) => char || "\ufffd");
  const places = [];
  let at = 0;
  const starts = new Map(text.map((char, i) => [(at += char.length) - char.length, i]));
  for (const { index } of new Intl.Segmenter("en", { granularity: "grapheme" }).segment(text.join(""))) places.push(starts.get(index));
  return places.filter((place) => place !== undefined);
};

// First characters of words that follow another right beside it, in scripts without spaces: see word_spans.py.
units.lettersAlone = function (characters, alone) {
  const [NONE, JOINED, ALONE, MARK] = [0, 1, 2, 3];
  const kind = (char) => {
    if (/^\p{M}$/u.test(char)) return MARK;
    if (/^[\p{L}\p{Nl}]$/u.test(char)) {
      const code = char.codePointAt(0);
      return alone.some(([first, last]) => code >= first && code <= last) ? ALONE : JOINED;
    }
    return /^\p{N}$/u.test(char) ? JOINED : NONE;
  };
  if (!characters.some(({ char }) => char && char.codePointAt(0) >= 0x0e00 && /^\p{L}$/u.test(char))) return [];
  const plain = characters.map(({ char }) => (char ? kind(char) : NONE));
  const found = [];
  let before = NONE;
  plain.forEach((own, i) => {
    const marks = own === MARK;
    const here = marks ? (i === 0 || before === NONE ? JOINED : before) : own;
    const begins = here === JOINED ? before !== JOINED : here === ALONE && !marks;
    if (begins && before !== NONE) found.push(i);
    before = here;
  });
  return found;
};

// (rows, tokens) → (units of rows, units of columns): weights between units.
units.folded = function (weights, rows, columns) {
  const summed = weights.map((row) => {
    const sums = new Float64Array(columns.names.length);
    row.forEach((weight, token) => columns.shares[token].forEach(([unit, share]) => (sums[unit] += weight * share)));
    return sums;
  });
  const means = rows.names.map(() => new Float64Array(columns.names.length));
  const totals = new Float64Array(rows.names.length);
  summed.forEach((row, token) => rows.shares[token].forEach(([unit, share]) => {
    totals[unit] += share;
    row.forEach((weight, i) => (means[unit][i] += weight * share));
  }));
  return means.map((row, unit) => row.map((weight) => weight / totals[unit]));
};
