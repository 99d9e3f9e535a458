#include "normalization/precompiled_charsmap.hpp"

#include <algorithm>
#include <cstdint>

#include "text/unicode.hpp"

namespace bpe {

namespace {

// SentencePiece's own rules need 12, some 40, and 300,000
constexpr size_t kMostKeyBytes = 64, kMostTextBytes = 1000, kMostNodes = size_t{1} << 20;

bool is_utf8(std::string_view text) {
  return unicode::valid_prefix(reinterpret_cast<const uint8_t*>(text.data()), text.size()) == text.size();
}

class Reader {
 public:
  Reader(std::string_view trie, std::string_view texts) : units_(trie.size() / 4), texts_(texts) {
    __builtin_memcpy(units_.data(), trie.data(), 4 * units_.size());
    find_children();
  }

  std::vector<std::pair<std::string, std::string>> read() {
    visit(offset(0));
    return std::move(entries_);
  }

 private:
  size_t offset(size_t unit) const { return static_cast<size_t>(units_[unit] >> 10) << ((units_[unit] & 0x200) >> 6); }

  // Sorts the units by the base that their label gives them: that of their parent's children, if they are in the trie.
  void find_children() {
    const auto base_of = [&](size_t unit) { return unit ^ (units_[unit] & 0xFF); };
    const auto is_child = [&](size_t unit) {
      const uint32_t label = units_[unit] & 0x800000FFu;
      return unit && label && label < 256 && base_of(unit) < units_.size();
    };
    first_child_.assign(units_.size() + 1, 0);
    for (size_t unit = 0; unit < units_.size(); ++unit)
      if (is_child(unit)) ++first_child_[base_of(unit) + 1];
    for (size_t base = 0; base < units_.size(); ++base) first_child_[base + 1] += first_child_[base];
    children_.resize(first_child_.back());
    std::vector<uint32_t> next(first_child_);
    for (size_t unit = 0; unit < units_.size(); ++unit)
      if (is_child(unit)) children_[next[base_of(unit)]++] = static_cast<uint32_t>(unit);
    for (size_t base = 0; base < units_.size(); ++base)
      std::sort(children_.begin() + first_child_[base], children_.begin() + first_child_[base + 1],
                [&](uint32_t a, uint32_t b) { return (units_[a] & 0xFF) < (units_[b] & 0xFF); });
  }

  // Reads the entries that begin with key_, whose children have this base.
  void visit(size_t base) {  // NOLINT(misc-no-recursion): as deep as keys are long
    // a node may be reached by many keys, which share their ends; a loop would not end
    if (base >= units_.size() || key_.size() > kMostKeyBytes || ++visited_ > kMostNodes)
      throw DamagedCharsmap("is not a trie: a path leads out of it, or does not end");
    for (uint32_t i = first_child_[base]; i < first_child_[base + 1]; ++i) {
      const uint32_t unit = children_[i];
      const size_t child = unit ^ offset(unit);
      key_.push_back(static_cast<char>(units_[unit] & 0xFF));
      if (units_[unit] >> 8 & 1) {
        if (child >= units_.size()) throw DamagedCharsmap("is not a trie: a value lies outside");
        add(units_[child] & 0x7FFFFFFF);
      }
      visit(child);
      key_.pop_back();
    }
  }

  void add(size_t start) {
    const size_t end = start < texts_.size() ? texts_.find('\0', start) : std::string_view::npos;
    const std::string place = "byte " + std::to_string(start);
    if (end == std::string_view::npos || end - start > kMostTextBytes)
      throw DamagedCharsmap("has no text at " + place + ", or a very long one");
    const std::string_view text = texts_.substr(start, end - start);
    if (!is_utf8(key_) || !is_utf8(text))
      throw DamagedCharsmap("has an entry that is not UTF-8, with the text at " + place);
    entries_.emplace_back(key_, text);
  }

  std::vector<uint32_t> units_;
  std::string_view texts_;
  std::vector<uint32_t> first_child_, children_;  // by base: where its children lie in children_
  std::string key_;
  size_t visited_ = 0;
  std::vector<std::pair<std::string, std::string>> entries_;
};

}  // namespace

std::vector<std::pair<std::string, std::string>> charsmap_entries(std::string_view map) {
  uint32_t size = 0;
  if (map.size() >= 4) __builtin_memcpy(&size, map.data(), 4);
  const size_t left = map.size() >= 4 ? map.size() - 4 : 0;
  if (size % 4 || size < 1024 || size > left)
    throw DamagedCharsmap("claims a trie of " + std::to_string(size) + " bytes, and " + std::to_string(left) +
                          " are there");
  return Reader(map.substr(4, size), map.substr(4 + size)).read();
}

}  // namespace bpe
