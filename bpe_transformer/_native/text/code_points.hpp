// Sets of code points, and those that Unicode's properties name.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace bpe {

class CodePoints {
 public:
  static constexpr uint32_t kLast = 0x10FFFF;
  struct Range {
    uint32_t first, last;
    bool operator==(const Range&) const = default;
  };

  CodePoints() = default;
  CodePoints(uint32_t first, uint32_t last) : ranges_{{first, last}} {}
  explicit CodePoints(std::vector<Range> ranges);  // in any order
  static CodePoints all() { return {0, kLast}; }
  static CodePoints word();   // \w
  static CodePoints space();  // \s
  static CodePoints digit();  // \d
  // A general category or script by its name, case, spaces, "-" and "_" ignored: "Lu", "L", "Letter", "Han".
  static std::optional<CodePoints> named(std::string_view name);
  static std::optional<CodePoints> script(std::string_view name);

  const std::vector<Range>& ranges() const { return ranges_; }  // in order, not touching each other
  bool empty() const { return ranges_.empty(); }
  bool contains(uint32_t code_point) const;
  bool operator==(const CodePoints&) const = default;

  CodePoints operator|(const CodePoints& other) const;
  CodePoints operator&(const CodePoints& other) const { return ~(~*this | ~other); }
  CodePoints operator~() const;
  // With all code points that match one of these if case is ignored.
  CodePoints ignoring_case() const;

 private:
  std::vector<Range> ranges_;
};

}  // namespace bpe
