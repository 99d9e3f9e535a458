// The parts of a pattern that stand for one character: escapes and bracketed classes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "splitting/compiled/syntax.hpp"

namespace bpe::compiled {

struct Flags {
  bool ignore_case = false, dot_all = false, multi_line = false;
};

// The code points of a pattern, read one after another.
class Reader {
 public:
  explicit Reader(std::string_view utf8);
  size_t position() const { return at_; }
  bool done() const { return at_ == code_points_.size(); }
  uint32_t peek(size_t ahead = 0) const { return at_ + ahead < code_points_.size() ? code_points_[at_ + ahead] : 0; }
  bool sees(std::string_view ascii) const;
  bool take(std::string_view ascii);  // whether it comes next; moves behind it if so
  uint32_t next();                    // throws Unsupported at the end
  // The text up to `end`, which is skipped.
  std::string up_to(char end);

 private:
  std::vector<uint32_t> code_points_;
  size_t at_ = 0;
};

// What follows a backslash: the character that it stands for, or a class of characters. nullopt, with nothing read, if
// it is something else. Inside a class \b is a backspace.
std::optional<CodePoints> parse_escape(Reader& reader, bool in_class, const Flags& flags);
// A bracketed class, after its opening bracket.
CodePoints parse_class(Reader& reader, bool has_nested_sets, const Flags& flags);

}  // namespace bpe::compiled
