#include "text/code_points.hpp"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <string>
#include <utility>

#include "text/unicode_properties.hpp"

namespace bpe {

namespace {

// The code points of a table of unicode_properties.hpp for whose value `wanted` holds.
template <size_t kSize, class Wanted>
std::vector<CodePoints::Range> ranges_of(const uint32_t (&table)[kSize], Wanted&& wanted) {
  std::vector<CodePoints::Range> ranges;
  for (size_t i = 0; i < kSize; ++i) {
    if (!wanted(table[i] & 0xFF)) continue;
    ranges.push_back({table[i] >> 8, i + 1 < kSize ? (table[i + 1] >> 8) - 1 : CodePoints::kLast});
  }
  return ranges;
}

std::string plain_name(std::string_view name) {
  std::string plain;
  for (const char c : name)
    if (c != ' ' && c != '-' && c != '_') plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return plain;
}

// The short name of a general category that is written out.
std::string_view short_name(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> kLong[] = {
      {"letter", "l"},           {"mark", "m"},           {"number", "n"},          {"punctuation", "p"},
      {"symbol", "s"},           {"separator", "z"},      {"other", "c"},           {"uppercaseletter", "lu"},
      {"lowercaseletter", "ll"}, {"decimalnumber", "nd"}, {"nonspacingmark", "mn"}, {"spaceseparator", "zs"},
      {"control", "cc"}};
  for (const auto& [written, brief] : kLong)
    if (written == name) return brief;
  return name;
}

}  // namespace

CodePoints::CodePoints(std::vector<Range> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.first < b.first; });
  for (const Range& range : ranges) {
    if (!ranges_.empty() && range.first <= ranges_.back().last + 1)
      ranges_.back().last = std::max(ranges_.back().last, range.last);
    else ranges_.push_back(range);
  }
}

CodePoints CodePoints::word() {
  return CodePoints(ranges_of(unicode::kWordRanges, [](uint32_t value) { return value == 1; }));
}

CodePoints CodePoints::space() {
  return CodePoints(ranges_of(unicode::kSpaceRanges, [](uint32_t value) { return value == 1; }));
}

CodePoints CodePoints::digit() { return named("Nd").value_or(CodePoints()); }

std::optional<CodePoints> CodePoints::named(std::string_view name) {
  const std::string plain = plain_name(name);
  const std::string_view wanted = short_name(plain);
  if (wanted.empty() || wanted.size() > 2) return script(name);
  std::vector<bool> is_wanted(std::size(unicode::kCategories) + 1, false);
  bool any = false;
  for (size_t i = 0; i < std::size(unicode::kCategories); ++i)
    any |= is_wanted[i + 1] = std::string_view(unicode::kCategories[i]).starts_with(wanted);
  if (!any) return std::nullopt;
  return CodePoints(ranges_of(unicode::kCategoryRanges, [&](uint32_t value) { return is_wanted[value]; }));
}

std::optional<CodePoints> CodePoints::script(std::string_view name) {
  const std::string wanted = plain_name(name);
  for (size_t i = 0; i < std::size(unicode::kScripts); ++i)
    if (wanted == unicode::kScripts[i])
      return CodePoints(ranges_of(unicode::kScriptRanges, [&](uint32_t value) { return value == i + 1; }));
  return std::nullopt;
}

bool CodePoints::contains(uint32_t code_point) const {
  const auto after = std::upper_bound(ranges_.begin(), ranges_.end(), code_point,
                                      [](uint32_t value, const Range& range) { return value < range.first; });
  return after != ranges_.begin() && code_point <= std::prev(after)->last;
}

CodePoints CodePoints::operator|(const CodePoints& other) const {
  std::vector<Range> both = ranges_;
  both.insert(both.end(), other.ranges_.begin(), other.ranges_.end());
  return CodePoints(std::move(both));
}

CodePoints CodePoints::operator~() const {
  CodePoints rest;
  uint32_t next = 0;
  for (const Range& range : ranges_) {
    if (range.first > next) rest.ranges_.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  if (next <= kLast) rest.ranges_.push_back({next, kLast});
  return rest;
}

CodePoints CodePoints::ignoring_case() const {
  std::vector<Range> more = ranges_;
  for (size_t i = 0; i < std::size(unicode::kCaseVariants); i += 2)
    if (contains(unicode::kCaseVariants[i]))
      more.push_back({unicode::kCaseVariants[i + 1], unicode::kCaseVariants[i + 1]});
  return CodePoints(std::move(more));
}

}  // namespace bpe
