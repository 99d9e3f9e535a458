#include "normalization/charsmap.hpp"

#include <algorithm>
#include <string_view>

#include "base/interruption.hpp"
#include "text/graphemes.hpp"
#include "text/unicode.hpp"

namespace bpe {

namespace {

const uint8_t* bytes_of(const std::string& text) { return reinterpret_cast<const uint8_t*>(text.data()); }

}  // namespace

// Writes normalised text, and squeezes spaces where that is wanted.
struct Charsmap::Output {
  const uint8_t* const text;
  const bool squeeze;
  Alignment* const alignment;
  std::string out;
  bool after_space = true;

  // The bytes [from, to) as they are.
  void same(const uint8_t* from, const uint8_t* to) {
    while (from < to) {
      if (squeeze && after_space)
        while (from < to && *from == ' ') ++from;
      const uint8_t* stop = to;
      if (squeeze) {  // up to a space that another follows
        stop = from;
        while (stop < to && !(stop[0] == ' ' && stop + 1 < to && stop[1] == ' ')) ++stop;
        if (stop < to) ++stop;
      }
      append(from, stop);
      from = stop;
    }
  }
  void replaced(const uint8_t* from, const uint8_t* to, std::string_view by) {
    if (squeeze && after_space) by.remove_prefix(std::min(by.find_first_not_of(' '), by.size()));
    if (by.empty()) return;
    out += by;
    if (alignment) alignment->changed(static_cast<size_t>(from - text), static_cast<size_t>(to - text), by.size());
    after_space = by.back() == ' ';
  }
  // The string of an entry that stays as it is, with all spaces in it.
  void kept(const uint8_t* from, const uint8_t* to) {
    if (squeeze && after_space && *from == ' ')
      return replaced(from, to, {reinterpret_cast<const char*>(from), static_cast<size_t>(to - from)});
    append(from, to);
  }
  void finish() {
    if (!squeeze) return;
    const std::string_view mark = "\xE2\x96\x81";
    for (;;) {
      if (out.ends_with(' ')) out.pop_back();
      else if (out.ends_with(mark)) out.resize(out.size() - mark.size());
      else break;
    }
    if (alignment) alignment->resize(out.size());
  }

 private:
  void append(const uint8_t* from, const uint8_t* to) {
    if (from == to) return;
    out.append(reinterpret_cast<const char*>(from), static_cast<size_t>(to - from));
    if (alignment) alignment->same(static_cast<size_t>(from - text), static_cast<size_t>(to - text));
    after_space = to[-1] == ' ';
  }
};

Charsmap::Charsmap(std::vector<std::pair<std::string, std::string>> entries, bool squeeze)
    : entries_(std::move(entries)), nodes_(1), direct_(1), flags_(0x110000, 0), squeeze_(squeeze) {
  build(0, 0, entries_.size(), 0);
  for (Node& node : nodes_) list_children(node);
  for (const auto& [key, text] : entries_) {
    if (key.empty()) continue;
    const uint8_t* const end = bytes_of(key) + key.size();
    const unicode::Symbol first = unicode::decode(bytes_of(key), end);
    const bool is_alone = first.length == key.size();
    const unicode::Symbol tell = is_alone ? first : unicode::decode(bytes_of(key) + first.length, end);
    if (tell.code_point < flags_.size()) flags_[tell.code_point] |= is_alone ? kAlone : kSecond;
  }
}

// Lists the children of a node with many by their bytes.
void Charsmap::list_children(Node& node) {
  constexpr uint16_t kMany = 12;
  if (node.count < kMany) return;
  node.direct = static_cast<uint32_t>(direct_.size());
  direct_.resize(direct_.size() + 256, UINT32_MAX);
  for (uint32_t i = 0; i < node.count; ++i) direct_[node.direct + nodes_[node.children + i].byte] = node.children + i;
}

// Adds the nodes below a node, which stands for the first `depth` bytes of the entries [first, last).
void Charsmap::build(size_t node, size_t first, size_t last, size_t depth) {
  if (first < last && entries_[first].first.size() == depth) {
    nodes_[node].is_end = true;
    nodes_[node].entry = static_cast<uint32_t>(first++);
  }
  std::vector<size_t> borders{first};
  for (size_t i = first; i < last; ++i)
    if (i + 1 == last || entries_[i].first[depth] != entries_[i + 1].first[depth]) borders.push_back(i + 1);
  if (borders.size() < 2) return;
  const size_t children = nodes_.size();
  nodes_[node].children = static_cast<uint32_t>(children);
  nodes_[node].count = static_cast<uint16_t>(borders.size() - 1);
  nodes_.resize(children + borders.size() - 1);
  for (size_t i = 0; i + 1 < borders.size(); ++i) {
    nodes_[children + i].byte = static_cast<uint8_t>(entries_[borders[i]].first[depth]);
    build(children + i, borders[i], borders[i + 1], depth + 1);
  }
}

const Charsmap::Node* Charsmap::child(const Node& node, uint8_t byte) const {
  if (node.direct) {
    const uint32_t place = direct_[node.direct + byte];
    return place == UINT32_MAX ? nullptr : &nodes_[place];
  }
  const Node* const first = nodes_.data() + node.children;
  for (const Node* one = first; one < first + node.count; ++one)
    if (one->byte == byte) return one;
  return nullptr;
}

// The longest entry at p, null if there is none.
const Charsmap::Node* Charsmap::longest(const uint8_t* p, const uint8_t* end, size_t& length) const {
  const Node* found = nullptr;
  const Node* node = nodes_.data();
  for (size_t i = 0; p + i < end; ++i) {
    node = child(*node, p[i]);
    if (node == nullptr) break;
    if (node->is_end) found = node, length = i + 1;
  }
  return found;
}

// The shortest entry at p, null if there is none.
const Charsmap::Node* Charsmap::shortest(const uint8_t* p, const uint8_t* end) const {
  const Node* node = nodes_.data();
  for (; p < end && node; ++p) {
    node = child(*node, *p);
    if (node && node->is_end) return node;
  }
  return nullptr;
}

std::string Charsmap::by_graphemes(Text text, Alignment* alignment) const {
  constexpr ptrdiff_t kLong = 6;  // bytes
  const uint8_t* const end = text.data + text.size;
  Output output{text.data, false, alignment, {}};
  output.out.reserve(text.size);
  const uint8_t* from = text.data;  // what is before is written
  const auto replace = [&](const uint8_t* p, const uint8_t* to, const Node& found) {
    const auto& [key, replacement] = entries_[found.entry];
    if (replacement == std::string_view(reinterpret_cast<const char*>(p), static_cast<size_t>(to - p))) return;
    output.same(from, p);
    output.replaced(p, to, replacement);
    from = to;
  };
  size_t steps = 0;
  for (const uint8_t *p = text.data, *after; p < end; p = after) {
    if (++steps % 4096 == 0) pass_checkpoint();
    after = grapheme_end(p, end);
    const Node* const whole = after - p < kLong ? shortest(p, after) : nullptr;
    if (whole) {
      replace(p, after, *whole);
      continue;
    }
    for (const uint8_t *c = p, *next; c < after; c = next) {
      next = c + unicode::decode(c, after).length;
      if (const Node* const found = shortest(c, next)) replace(c, next, *found);
    }
  }
  output.same(from, end);
  return std::move(output.out);
}

std::string Charsmap::normalized(Text text, Alignment* alignment) const {
  Output output{text.data, squeeze_, alignment, {}};
  output.out.reserve(text.size);
  const uint8_t* const end = text.data + text.size;
  const uint8_t* from = text.data;  // what is before is written
  size_t steps = 0;
  const auto at = [&](const uint8_t* p) { return p < end ? unicode::decode(p, end) : unicode::Symbol{0, 0, 0}; };
  unicode::Symbol here = at(from);
  for (const uint8_t* p = from; p < end;) {
    if (++steps % 4096 == 0) pass_checkpoint();
    const unicode::Symbol next = at(p + here.length);
    // an entry begins here only with a character that is one, or before one that is a second
    const bool may_match = (flags(here.code_point) & kAlone) || (next.length && (flags(next.code_point) & kSecond));
    size_t size = 0;
    const Node* const found = may_match ? longest(p, end, size) : nullptr;
    if (!found) {
      p += here.length;
      here = next;
      continue;
    }
    output.same(from, p);
    const auto& [key, replacement] = entries_[found->entry];
    if (key == replacement) output.kept(p, p + size);
    else output.replaced(p, p + size, replacement);
    from = p += size;
    here = at(p);
  }
  output.same(from, end);
  output.finish();
  return std::move(output.out);
}

}  // namespace bpe
