#include "splitting/compiled/classes.hpp"

#include <algorithm>
#include <map>
#include <string>

#include "splitting/compiled/byte_names.hpp"
#include "text/append_utf8.hpp"

namespace bpe::compiled {

namespace {

constexpr size_t kPage = 256;
constexpr size_t kMostClasses = 200;

}  // namespace

Classes::Classes(const Program& program, bool of_names) : of_names_(of_names) {
  number(program);
  final_newline_ = newline();
  if (program.marks_final_newline) {
    final_newline_ = size();
    samples_.push_back('\n');
  }
  num_parts_ = static_cast<uint32_t>(program.alphabets.size());
  for (const uint32_t sample : samples_) {
    uint32_t part = 0;
    while (part + 1 < num_parts_ && !program.alphabets[part].contains(sample)) ++part;
    parts_.push_back(part);
  }
  members_.resize(program.sets.size());
  for (size_t set = 0; set < program.sets.size(); ++set) {
    const Neighbours& neighbours = program.sets[set];
    for (const uint32_t sample : samples_) members_[set].push_back(neighbours.code_points.contains(sample));
    members_[set].push_back(neighbours.edge);
  }
  for (const Instruction& one : program.instructions)
    if (one.op == Instruction::Op::kAfter && program.marks_final_newline)
      members_[one.set][final_newline_] = program.sets[one.set].final_newline;
  if (of_names) {
    for (unsigned byte = 0; byte < 256; ++byte) of_byte_[byte] = static_cast<uint8_t>(of(kByteNames.of[byte]));
    return;
  }
  for (unsigned byte = 0; byte < 256; ++byte)
    of_byte_[byte] = byte < 0x80 ? pages_[size_t{page_of_[0]} * kPage + byte] : kDecode;
  if (program.marks_final_newline) of_byte_['\n'] = kDecode;
}

// Numbers the classes: code points that the same sets hold.
void Classes::number(const Program& program) {
  std::vector<uint32_t> starts{0, '\n', '\n' + 1};  // where a range begins that no set cuts
  for (const Neighbours& set : program.sets)
    for (const CodePoints::Range& range : set.code_points.ranges()) {
      starts.push_back(range.first);
      if (range.last < CodePoints::kLast) starts.push_back(range.last + 1);
    }
  std::sort(starts.begin(), starts.end());
  starts.erase(std::unique(starts.begin(), starts.end()), starts.end());
  std::vector<std::string> holders(starts.size(), std::string(program.sets.size(), '0'));
  for (size_t set = 0; set < program.sets.size(); ++set) {
    size_t i = 0;
    for (const CodePoints::Range& range : program.sets[set].code_points.ranges()) {
      while (starts[i] < range.first) ++i;
      for (; i < starts.size() && starts[i] <= range.last; ++i) holders[i][set] = '1';
    }
  }
  std::map<std::string, uint8_t> known;
  std::vector<uint8_t> numbers;
  for (size_t i = 0; i < starts.size(); ++i) {
    if (program.marks_final_newline && starts[i] == '\n') holders[i] += 'n';  // a class of its own
    const auto [found, is_new] = known.emplace(holders[i], static_cast<uint8_t>(samples_.size()));
    if (is_new) {
      if (samples_.size() >= kMostClasses) throw Unsupported("more than 200 classes of characters");
      samples_.push_back(starts[i]);
    }
    numbers.push_back(found->second);
  }
  fill_pages(starts, numbers);
}

// Code points from starts[i] on are of class numbers[i].
void Classes::fill_pages(const std::vector<uint32_t>& starts, const std::vector<uint8_t>& numbers) {
  std::map<std::string, uint16_t> known;
  size_t i = 0;
  for (uint32_t first = 0; first <= CodePoints::kLast; first += kPage) {
    std::string page;
    for (uint32_t c = first; c < first + kPage;) {
      while (i + 1 < starts.size() && starts[i + 1] <= c) ++i;
      const uint32_t stop = std::min<uint32_t>(i + 1 < starts.size() ? starts[i + 1] : UINT32_MAX, first + kPage);
      page.append(stop - c, static_cast<char>(numbers[i]));
      c = stop;
    }
    const auto [found, is_new] = known.emplace(page, static_cast<uint16_t>(known.size()));
    if (is_new) pages_.insert(pages_.end(), page.begin(), page.end());
    page_of_.push_back(found->second);
  }
}

uint32_t Classes::decoded_rarely(const uint8_t* p, const uint8_t* end, size_t& length) const {
  const unicode::Symbol symbol = unicode::decode(p, end);
  length = symbol.length;
  if (symbol.code_point == '\n' && p + 1 == end) return final_newline_;
  return of(symbol.code_point == unicode::kInvalid ? 0xDC00u | *p : symbol.code_point);
}

std::pair<uint32_t, uint32_t> Classes::edges_of(uint32_t code_point) const {
  std::string bytes;
  append_utf8(code_point, bytes);
  return {of_byte_[static_cast<uint8_t>(bytes.front())], of_byte_[static_cast<uint8_t>(bytes.back())]};
}

std::vector<uint32_t> Classes::text_samples() const {
  if (!of_names_) return samples_;
  std::vector<uint32_t> found;
  std::vector<bool> has(size() + 1, false);
  for (uint32_t byte = 0; byte < 0xF5; ++byte) {
    if (has[of_byte_[byte]] || byte == 0xC0 || byte == 0xC1) continue;
    has[of_byte_[byte]] = true;
    if (byte < 0xC0) found.push_back(byte);  // after another byte where it is past ASCII
    else if (byte < 0xE0) found.push_back((byte & 0x1F) << 6 | 0x29);
    else if (byte < 0xF0) found.push_back((byte & 0x0F) << 12 | 0x923);
    else found.push_back((byte & 0x07) << 18 | 0x1'0123);
  }
  return found;
}

uint32_t Classes::before(const uint8_t* begin, const uint8_t* p) const {
  if (p == begin) return edge();
  if (of_names_) return of_byte_[p[-1]];
  const uint8_t* start = p - 1;
  while (start > begin && p - start < 4 && unicode::continues(*start)) --start;
  if (static_cast<size_t>(p - start) != unicode::decode(start, p).length) start = p - 1;
  if (*start == '\n') return newline();
  size_t length = 0;
  return at(start, p, length);
}

}  // namespace bpe::compiled
