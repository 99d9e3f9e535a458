#include "merging/symbols.hpp"

#include <algorithm>

#include "merging/merge_window.hpp"
#include "text/unicode.hpp"

namespace bpe {

// Two neighbouring bytes are a sure pair if, whatever else the word holds, nothing takes either of them away before
// they are merged: the left one could be taken by what ends with the byte before it, the right one by what begins with
// the byte after it. Half the merges of English words are of sure pairs. No two of them overlap, and they can be merged
// at once, in no order.
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
    ends[merges[i].made] = {l.first, r.last, false};
    const auto note = [&](uint32_t& lowest) { lowest = std::min(lowest, i); };
    if (r.is_byte) note(at(seen(l.last), seen(r.first)).taken_left);
    if (!l.is_byte) continue;
    Pair& pair = at(seen(l.first), seen(r.first));
    note(pair.taken_right);
    if (r.is_byte && pair.rank == kNoId && l.first < 0x80 && r.first < 0x80) pair.rank = i, pair.made = merges[i].made;
  }
}

namespace {

// The bytes of a token as far as they matter to atoms: all of up to four, the last of more.
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

// A character of two or three bytes that merges make one id of is an atom if no merge across its borders can come
// before: then a word may begin with it in place of its bytes. That holds if what stands at its borders while it is
// merged always finds its partner inside the character at a lower rank than any outside. What may stand before a
// character is told apart: nothing, another such character, or ASCII; and a blank and a character may be an atom
// together where a word begins. A byte alphabet and valid UTF-8 are presumed.
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
      const auto& [left, right, made] = merges[i];
      const Bytes &l = bytes[left], &r = bytes[right];
      const auto rank = rank_of[made] = static_cast<uint32_t>(i);
      const auto note = [&](uint32_t& lowest) { lowest = std::min(lowest, rank); };
      if (!unicode::continues(r.head[0])) note(before_next[left]);
      if (l.last < 0xC0) note((l.last < 0x80 ? after_ascii : after_bytes)[right]);
      bytes[made] = Bytes::join(l, r);
      if (bytes[made].size <= 4 && bytes[made].last >= 0x80) candidates.push_back(made);
    }
    symbols.atoms_.resize(0x10000, kNoId), symbols.spaced_.resize(0x10000, kNoId);
    for (const uint32_t made : candidates) consider(bytes[made], made);
  }

  void consider(const Bytes& bytes, uint32_t made) {
    const uint32_t spaced = bytes.head[0] == ' ';
    const unicode::Symbol s = unicode::decode(bytes.head + spaced, bytes.head + bytes.size);
    if (s.length + spaced != bytes.size || s.length == 1 || s.length == 4) return;
    uint32_t ids[4];
    for (uint32_t i = 0; i < bytes.size; ++i) ids[i] = symbols.alphabet_.id_of_byte[bytes.head[i]];
    Window<64> window;
    window.load(ranks, ids, bytes.size);
    while (window.step(ranks, symbols.made_, simd::where_least())) {}
    if (window.next(0) != bytes.size || window.id(0) != made || !safe(made, &Merge::right, before_next)) return;
    if (spaced) symbols.spaced_[s.code_point] = made;
    else if (safe(made, &Merge::left, after_bytes))
      symbols.atoms_[s.code_point] = made | (safe(made, &Merge::left, after_ascii) ? 0 : kAfterBytes);
  }

  // Whether all that stands at one side while `id` is made is merged inside it first.
  bool safe(uint32_t id, uint32_t Merge::* side, const std::vector<uint32_t>& outside) const {
    for (uint32_t made = id; rank_of[made] != kNoId;) {
      const uint32_t rank = rank_of[made];
      made = merges[rank].*side;
      if (outside[made] < rank) return false;
    }
    return true;
  }

  Symbols& symbols;
  const Ranks& ranks;
  const std::vector<Merge>& merges;
  std::vector<uint32_t> rank_of;  // by id, kNoId for base tokens
  // by id, the lowest rank of its merges with the beginning of a character after it, with ASCII before it, with the end
  // of a longer character before it
  std::vector<uint32_t> before_next, after_ascii, after_bytes;
};

Symbols::Symbols(const Alphabet& alphabet, const Ranks& ranks, const std::vector<uint32_t>& made,
                 const std::vector<Merge>& merges, size_t num_ids, bool ordered)
    : alphabet_(alphabet), made_(made) {
  if (!alphabet.bytes || !ordered || merges.empty() || num_ids >= kAfterBytes ||
      std::ranges::count(alphabet.id_of_byte, kNoId))
    return;
  pairs_ = Pairs(alphabet, merges, num_ids);
  Atoms(*this, ranks, merges, num_ids);
}

// --- splitting -------------------------------------------------------------------------------------------------------

struct Symbols::Cursor {
  const uint8_t *begin, *end;  // of the word
  const uint8_t* p;            // what has not been split
  uint32_t* out;
};

// Writes ASCII as base ids and the ids of sure pairs, up to other bytes or `stop`; a pair is not split.
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
    *to = base ^ ((base ^ pair->made) & (0 - uint32_t{is_pair}));  // no branch: it could not be guessed
    to += !was_pair;                                               // else it is the second of a pair, and overwritten
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

// Into base ids, sure pairs and atoms; false if that is not UTF-8.
bool Symbols::split_utf8(Cursor& cursor, const uint8_t* stop) const {
  const uint8_t *&p = cursor.p, *const end = cursor.end;
  uint32_t*& to = cursor.out;
  uint32_t refused = p > cursor.begin && p[-1] < 0x80 ? kAfterBytes : 0;  // flags of atoms that may not stand here
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
    split_bytes(cursor = start, start.end);  // nothing is known of borders then
  out.resize(static_cast<size_t>(cursor.out - out.data()));
}

Symbols::Parts::Parts(const Symbols& symbols, std::string_view word) : symbols_(symbols), word_(word) {
  const auto* const begin = reinterpret_cast<const uint8_t*>(word.data());
  if (!symbols.atoms_.empty()) is_utf8_ = unicode::valid_prefix(begin, word.size()) == word.size();
}

bool Symbols::Parts::next(size_t bytes, IdBuffer& out) {
  if (at_ == word_.size()) return false;
  if (!symbols_.alphabet_.bytes) {  // what ends a word may have ids of its own
    symbols_.split(word_, out);
    at_ = word_.size();
    return true;
  }
  const auto* const begin = reinterpret_cast<const uint8_t*>(word_.data());
  bytes = std::min(bytes, word_.size() - at_);
  out.reserve(bytes + 4);  // the last symbol may go on
  Cursor cursor{begin, begin + word_.size(), begin + at_, out.data() + out.size()};
  if (is_utf8_) symbols_.split_utf8(cursor, cursor.p + bytes);
  else symbols_.split_bytes(cursor, cursor.p + bytes);
  at_ = static_cast<size_t>(cursor.p - begin);
  out.resize(static_cast<size_t>(cursor.out - out.data()));
  return true;
}

}  // namespace bpe
