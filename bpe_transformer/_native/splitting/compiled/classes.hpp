// The characters of a text in classes, such that a pattern treats all of a class alike.
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "splitting/compiled/program.hpp"
#include "text/unicode.hpp"

namespace bpe::compiled {

class Classes {
 public:
  static constexpr uint8_t kDecode = 0xFF;  // as the class of a byte: look at more of the text

  // `of_names`: the characters of a text are GPT-2's names of its bytes. Throws Unsupported if there are too many.
  Classes(const Program& program, bool of_names);

  // Classes are numbered from 0; `edge` stands for the start or the end of the text.
  uint32_t size() const { return static_cast<uint32_t>(samples_.size()); }
  uint32_t edge() const { return size(); }
  uint32_t of(uint32_t code_point) const {
    return pages_[uint32_t{page_of_[code_point >> 8]} << 8 | (code_point & 0xFF)];
  }
  uint32_t newline() const { return of('\n'); }
  uint32_t final_newline() const { return final_newline_; }  // the class of a newline at the end; newline() if the same
  // Whether a set holds a class, or the edge.
  bool holds(uint32_t set, uint32_t number) const { return members_[set][number]; }
  // The part of the program that sees a class.
  uint32_t part(uint32_t number) const { return parts_[number]; }
  uint32_t num_parts() const { return num_parts_; }
  const std::vector<uint32_t>& samples() const { return samples_; }  // a code point of each class
  // Code points of texts that hold a character of each class that a text can hold.
  std::vector<uint32_t> text_samples() const;
  // The classes of the first and the last character of a text that is one code point, no surrogate.
  uint32_t first_of(uint32_t code_point) const { return of_names_ ? edges_of(code_point).first : of(code_point); }
  uint32_t last_of(uint32_t code_point) const { return of_names_ ? edges_of(code_point).second : of(code_point); }
  bool of_names() const { return of_names_; }
  uint32_t of_byte(uint8_t byte) const { return of_byte_[byte]; }  // if of_names()

  // The class of the character at p, and its bytes. A byte that is not UTF-8 is a lone surrogate (PEP 383).
  uint32_t at(const uint8_t* p, const uint8_t* end, size_t& length) const {
    const uint8_t number = of_byte_[*p];
    if (number != kDecode) [[likely]] {
      length = 1;
      return number;
    }
    return decoded(p, end, length);
  }
  // The class of the character that ends at p; the edge at the start of the text.
  uint32_t before(const uint8_t* begin, const uint8_t* p) const;

 private:
  uint32_t decoded(const uint8_t* p, const uint8_t* end, size_t& length) const {
    if (end - p >= 3 && *p >= 0xE1 && *p <= 0xEC && unicode::continues(p[1]) && unicode::continues(p[2])) {
      length = 3;
      return of((uint32_t{p[0]} & 0x0F) << 12 | (uint32_t{p[1]} & 0x3F) << 6 | (p[2] & 0x3F));
    }
    return decoded_rarely(p, end, length);
  }
  uint32_t decoded_rarely(const uint8_t* p, const uint8_t* end, size_t& length) const;
  std::pair<uint32_t, uint32_t> edges_of(uint32_t code_point) const;
  void number(const Program& program);
  void fill_pages(const std::vector<uint32_t>& starts, const std::vector<uint8_t>& numbers);

  const bool of_names_;
  std::array<uint8_t, 256> of_byte_{};
  std::vector<uint16_t> page_of_;
  std::vector<uint8_t> pages_;
  std::vector<uint32_t> samples_;
  std::vector<std::vector<bool>> members_;  // by set
  std::vector<uint32_t> parts_;             // by class
  uint32_t final_newline_ = 0, num_parts_ = 1;
};

}  // namespace bpe::compiled
