#include "merging/symbols.hpp"

#include <algorithm>

#include "merging/merge_window.hpp"
#include "text/unicode.hpp"

namespace bpe {

// The merge of two neighbouring bytes is certain if no merge of a lower rank can take either of them first: the left
// one could merge with a token that ends with the byte before it, the right one with a token that begins with the byte
// after it. Half the merges of English words are of such pairs. They do not overlap and can be applied at once.
Symbols::Pairs::Pairs(const Alphabet& alphabet, const std::vector<Merge>& merges, size_t num_ids) : of(kSide * kSide) {
  struct Ends {
    uint8_t first, last;
    bool is_byte;
  };
  std::vector<Ends> ends(num_ids);
  for (size_t byte = 0; byte < 256; ++byte)
    ends[alphabet.id_of_byte[byte]] = {static_cast<uint8_t>(byte), static_cast<uint8_t>(byte), true};
  for (uint32_t i = 0; i < merges.size(); ++i) {
    const Ends l = ends[merges[i].left], r = ends[merges[i].right];
    ends[merges[i].merged_id] = {l.first, r.last, false};
    const auto note = [&](uint32_t& lowest) { lowest = std::min(lowest, i); };
    if (r.is_byte) note(at(seen(l.last), seen(r.first)).taken_left);
    if (!l.is_byte) continue;
    Pair& pair = at(seen(l.first), seen(r.first));
    note(pair.taken_right);
    if (r.is_byte && pair.rank == kNoId && l.first < 0x80 && r.first < 0x80)
      pair.rank = i, pair.merged_id = merges[i].merged_id;
  }
}

namespace {

// What Atoms needs of a token's bytes: the first four and the last.
struct Bytes {
  uint32_t size = 0;
  uint8_t head[4] = {}, last = 0;
  static Bytes join(const Bytes& left, const Bytes& right) {
    Bytes out = left;
    for (uint32_t i = left.size; i < 4 && i - left.size < right.size; ++i) out.head[i] = right.head[i - left.size];
    out.size += right.size;
    out.last = right.last;
    return out;
  }
};

}  // namespace

// A character of two or three bytes that merges turn into one token is an atom if no merge across its borders can come
// first: then merging may start from that token in place of the bytes. That holds if, while the character is merged,
// the tokens at its borders always merge inside it at a lower rank than with anything outside. It may depend on what
// comes before: nothing, another such character, or ASCII. A blank and a character can be an atom together at the
// beginning of a word. For byte alphabets and valid UTF-8 only.
struct Symbols::Atoms {
  Atoms(Symbols& symbols, const Ranks& ranks, const std::vector<Merge>& merges, size_t num_ids)
      : symbols(symbols), ranks(ranks), merges(merges) {
    std::vector<Bytes> bytes(num_ids);
    for (auto* column : {&rank_of, &before_next, &after_ascii, &after_bytes}) column->assign(num_ids, kNoId);
    for (size_t byte = 0; byte < 256; ++byte) {
      const auto value = static_cast<uint8_t>(byte);
      bytes[symbols.alphabet_.id_of_byte[byte]] = {1, {value}, value};
    }
    std::vector<uint32_t> candidates;
    for (size_t i = 0; i < merges.size(); ++i) {
      const auto& [left, right, merged_id] = merges[i];
      const Bytes &l = bytes[left], &r = bytes[right];
      const auto rank = rank_of[merged_id] = static_cast<uint32_t>(i);
      const auto note = [&](uint32_t& lowest) { lowest = std::min(lowest, rank); };
      if (!unicode::continues(r.head[0])) note(before_next[left]);
      if (l.last < 0xC0) note((l.last < 0x80 ? after_ascii : after_bytes)[right]);
      bytes[merged_id] = Bytes::join(l, r);
      if (bytes[merged_id].size <= 4 && bytes[merged_id].last >= 0x80) candidates.push_back(merged_id);
    }
    symbols.atoms_.resize(0x10000, kNoId), symbols.spaced_.resize(0x10000, kNoId);
    for (const uint32_t merged_id : candidates) consider(bytes[merged_id], merged_id);
  }

  void consider(const Bytes& bytes, uint32_t merged_id) {
    const uint32_t spaced = bytes.head[0] == ' ';
    const unicode::Symbol s = unicode::decode(bytes.head + spaced, bytes.head + bytes.size);
    if (s.length + spaced != bytes.size || s.length == 1 || s.length == 4) return;
    uint32_t ids[4];
    for (uint32_t i = 0; i < bytes.size; ++i) ids[i] = symbols.alphabet_.id_of_byte[bytes.head[i]];
    MergeWindow<64> window;
    window.load(ranks, ids, bytes.size);
    while (window.step(ranks, symbols.merged_ids_, simd::find_least())) {}
    if (window.next(0) != bytes.size || window.id(0) != merged_id || !safe(merged_id, &Merge::right, before_next))
      return;
    if (spaced) symbols.spaced_[s.code_point] = merged_id;
    else if (safe(merged_id, &Merge::left, after_bytes))
      symbols.atoms_[s.code_point] = merged_id | (safe(merged_id, &Merge::left, after_ascii) ? 0 : kAfterBytes);
  }

  // Whether the tokens at one side of `id`, while it is merged, merge inside it before they could merge outside.
  bool safe(uint32_t id, uint32_t Merge::* side, const std::vector<uint32_t>& outside) const {
    while (rank_of[id] != kNoId) {
      const uint32_t rank = rank_of[id];
      id = merges[rank].*side;
      if (outside[id] < rank) return false;
    }
    return true;
  }

  Symbols& symbols;
  const Ranks& ranks;
  const std::vector<Merge>& merges;
  std::vector<uint32_t> rank_of;  // by id, kNoId for base tokens
  // by id, the lowest rank of its merges with the beginning of a character after it, with ASCII before it, and with the
  // end of a longer character before it
  std::vector<uint32_t> before_next, after_ascii, after_bytes;
};

Symbols::Symbols(const Alphabet& alphabet, const Ranks& ranks, const std::vector<uint32_t>& merged_ids,
                 const std::vector<Merge>& merges, size_t num_ids, bool ordered)
    : alphabet_(alphabet), merged_ids_(merged_ids) {
  if (!alphabet.bytes || !ordered || merges.empty() || num_ids >= kAfterBytes ||
      std::ranges::count(alphabet.id_of_byte, kNoId))
    return;
  pairs_ = Pairs(alphabet, merges, num_ids);
  Atoms(*this, ranks, merges, num_ids);
}

// --- splitting -------------------------------------------------------------------------------------------------------

struct Symbols::Cursor {
  const uint8_t *begin, *end;  // of the word
  const uint8_t* p;            // the first byte that is not split yet
  uint32_t* out;
};

// Writes the symbols of ASCII up to other bytes or `stop`: base ids and the ids of certain pairs. May go past `stop` to
// complete a pair.
void Symbols::split_ascii(Cursor& cursor, const uint8_t* stop) const {
  const uint8_t* const end = cursor.end;
  const uint8_t* p = cursor.p;
  const auto byte = [&](const uint8_t* q) { return q < end ? Pairs::seen(*q) : Pairs::kNone; };
  size_t left = *p, right = byte(p + 1);
  uint32_t taken_left = pairs_.at(p > cursor.begin ? Pairs::seen(p[-1]) : Pairs::kNone, left).taken_left;
  const Pair* pair = &pairs_.at(left, right);
  bool was_pair = false;
  uint32_t* to = cursor.out;
  const auto go_on = [&](size_t after) {
    const Pair* const next = &pairs_.at(right, after);
    const bool is_pair = (pair->rank < taken_left) & (pair->rank <= next->taken_right);
    const uint32_t base = alphabet_.id_of_byte[left];
    *to = base ^ ((base ^ pair->merged_id) & (0 - uint32_t{is_pair}));  // no branch: it could not be predicted
    to += !was_pair;                                                    // the second byte of a pair is overwritten
    was_pair = is_pair;
    taken_left = pair->taken_left;
    left = right, right = after, pair = next;
    ++p;
  };
  if (right < Pairs::kNone)
    for (const uint8_t* const last = stop - std::min<ptrdiff_t>(stop - p, 2); p < last && p[2] < 0x80;) go_on(p[2]);
  while (left < Pairs::kNone && (p < stop || was_pair)) go_on(byte(p + 2));
  cursor.p = p, cursor.out = to;
}

// Splits into base ids, certain pairs and atoms; false if the bytes are not UTF-8.
bool Symbols::split_utf8(Cursor& cursor, const uint8_t* stop) const {
  const uint8_t *&p = cursor.p, *const end = cursor.end;
  uint32_t*& to = cursor.out;
  uint32_t refused = p > cursor.begin && p[-1] < 0x80 ? kAfterBytes : 0;  // the flag of atoms that may not come here
  while (p < stop) {
    if (*p == ' ' && p == cursor.begin && p + 1 < end && p[1] >= 0x80) {
      const unicode::Symbol s = unicode::decode(p + 1, end);
      if (s.length < 4 && s.code_point != unicode::kInvalid && spaced_[s.code_point] != kNoId) {
        *to++ = spaced_[s.code_point];
        p += 1 + s.length;
        continue;
      }
    }
    if (*p < 0x80) {
      split_ascii(cursor, stop);
      refused = kAfterBytes;
      continue;
    }
    const unicode::Symbol s = unicode::decode(p, end);
    if (s.code_point == unicode::kInvalid) return false;
    const uint32_t atom = s.length < 4 ? atoms_[s.code_point] : kNoId;
    if (!(atom & refused) && atom != kNoId) *to++ = atom & ~kAfterBytes;
    else
      for (uint32_t i = 0; i < s.length; ++i) *to++ = alphabet_.id_of_byte[p[i]];
    refused = 0;
    p += s.length;
  }
  return true;
}

void Symbols::split_bytes(Cursor& cursor, const uint8_t* stop) const {
  while (cursor.p < stop) *cursor.out++ = alphabet_.id_of_byte[*cursor.p++];
}

void Symbols::split(std::string_view word, IdBuffer& out) const {
  if (!alphabet_.bytes) return alphabet_.split(word, out);
  out.reserve(word.size());
  const auto* const begin = reinterpret_cast<const uint8_t*>(word.data());
  const Cursor start{begin, begin + word.size(), begin, out.data() + out.size()};
  Cursor cursor = start;
  if (atoms_.empty() || !split_utf8(cursor, start.end))
    split_bytes(cursor = start, start.end);  // without valid UTF-8 no merge is certain
  out.resize(static_cast<size_t>(cursor.out - out.data()));
}

Symbols::Reader::Reader(const Symbols& symbols, std::string_view word) : symbols_(symbols), word_(word) {
  const auto* const begin = reinterpret_cast<const uint8_t*>(word.data());
  if (!symbols.atoms_.empty()) is_utf8_ = unicode::valid_prefix(begin, word.size()) == word.size();
}

bool Symbols::Reader::next(size_t bytes, IdBuffer& out) {
  if (at_ == word_.size()) return false;
  if (!symbols_.alphabet_.bytes) {  // not in portions: the last symbol of a word may have its own id
    symbols_.split(word_, out);
    at_ = word_.size();
    return true;
  }
  const auto* const begin = reinterpret_cast<const uint8_t*>(word_.data());
  bytes = std::min(bytes, word_.size() - at_);
  out.reserve(bytes + 4);  // the last symbol may end after them
  Cursor cursor{begin, begin + word_.size(), begin + at_, out.data() + out.size()};
  if (is_utf8_) symbols_.split_utf8(cursor, cursor.p + bytes);
  else symbols_.split_bytes(cursor, cursor.p + bytes);
  at_ = static_cast<size_t>(cursor.p - begin);
  out.resize(static_cast<size_t>(cursor.out - out.data()));
  return true;
}

}  // namespace bpe
