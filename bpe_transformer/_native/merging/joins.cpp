#include "merging/joins.hpp"

#include <algorithm>

namespace bpe {

namespace {

// The character that a token begins or ends with: an ASCII one, one past ASCII, either a space or what marks one, or
// any.
using Character = uint8_t;
constexpr Character kBeyond = 128, kSpaceMark = 129, kAny = 254, kNone = 255;

struct Ends {
  Character first = kNone, last = kNone;
  bool operator==(const Ends&) const = default;
};

// The ends of base ids by id; kAny for one that stands for several characters.
std::vector<Ends> base_ends(const Alphabet& alphabet, size_t num_ids) {
  std::vector<Ends> ends(num_ids);
  const auto set = [&](uint32_t id, Character character) {
    if (id == kNoId) return;
    const Character known = ends[id].first;
    if (character == kBeyond && (known == ' ' || known == kSpaceMark)) character = kSpaceMark;
    else if (known != kNone && known != character) character = kAny;
    ends[id] = {character, character};
  };
  for (uint32_t c = 0; c < 0x80; ++c)
    set(alphabet.bytes ? alphabet.id_of_byte[c] : alphabet.inner.of(c), static_cast<Character>(c));
  if (alphabet.bytes)
    for (uint32_t byte = 0x80; byte < 0x100; ++byte) set(alphabet.id_of_byte[byte], kBeyond);
  else alphabet.inner.each_from(0x80, [&](uint32_t id) { set(id, kBeyond); });
  set(alphabet.unknown, kAny);
  for (const uint32_t id : alphabet.fallback) set(id, kAny);
  return ends;
}

template <class Use>
void each_byte(Character character, Use&& use) {
  if (character < kBeyond) use(size_t{character});
  if (character == kSpaceMark) use(size_t{' '});
  for (size_t byte = 0x80; byte < 0x100 && character >= kBeyond; ++byte) use(byte);
}

}  // namespace

Joins::Joins(const Alphabet& alphabet, const std::vector<Merge>& merges, size_t num_ids) {
  if (alphabet.marks_end || alphabet.some_bytes || !find(alphabet, merges, num_ids)) joined_.set();
}

// False if what merges join is not known.
bool Joins::find(const Alphabet& alphabet, const std::vector<Merge>& merges, size_t num_ids) {
  constexpr int kMostPasses = 64;
  std::vector<Ends> ends = base_ends(alphabet, num_ids);
  std::vector<const Merge*> open;  // whose halves have no ends yet: merges may stand before those that make them
  const auto is_open = [&](const Merge& merge) {
    const Ends merged{ends[merge.left].first, ends[merge.right].last};
    if (merged.first == kNone || merged.last == kNone) return true;
    Ends& known = ends[merge.merged_id];
    if (merged.first == kAny || merged.last == kAny || (known != Ends() && known != merged)) known = {kAny, kAny};
    else known = merged;
    return false;
  };
  for (const Merge& merge : merges)
    if (is_open(merge)) open.push_back(&merge);
  for (int pass = 0; std::erase_if(open, [&](const Merge* merge) { return !is_open(*merge); }); ++pass)
    if (pass == kMostPasses) return false;
  std::bitset<256 * 256> seen;  // by two ends
  const auto join = [&](Character left, Character right) {
    if (seen[left << 8 | right]) return;
    seen.set(left << 8 | right);
    each_byte(left, [&](size_t l) { each_byte(right, [&](size_t r) { joined_.set(l << 8 | r); }); });
  };
  for (const auto& [left, right, merged_id] : merges) {
    if (ends[left].last == kAny || ends[right].first == kAny) return false;
    if (ends[left].last != kNone && ends[right].first != kNone)  // ids without ends never come
      join(ends[left].last, ends[right].first);
  }
  std::vector<Character> together = {kBeyond};  // characters past ASCII are many bytes; unknown ones become one <unk>
  for (Character c = 0; alphabet.fuse_unknown && c < 0x80; ++c)
    if (alphabet.inner.of(c) == kNoId) together.push_back(c);
  for (const Character left : together)
    for (const Character right : together) join(left, right);
  return true;
}

}  // namespace bpe
