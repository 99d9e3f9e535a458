// Split patterns as trees. The dialect is that of Python's regex package, as far as one character decides: classes,
// groups, alternation in order, quantifiers, and look-around of one character.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/code_points.hpp"

namespace bpe::compiled {

// Thrown for a pattern that the compiler does not take; its message says why.
struct Unsupported : std::runtime_error {
  explicit Unsupported(const std::string& reason) : std::runtime_error(reason) {}
};

// What may stand before or after a position: one of some code points, or the edge of the text.
struct Neighbours {
  CodePoints code_points;
  bool edge = false;           // the start of the text, or its end
  bool final_newline = false;  // a newline that is the last character; code_points says nothing about it

  static Neighbours of(CodePoints code_points) {
    const bool newline = code_points.contains('\n');
    return {std::move(code_points), false, newline};
  }
  Neighbours operator|(const Neighbours& other) const {
    return {code_points | other.code_points, edge || other.edge, final_newline || other.final_newline};
  }
  Neighbours operator~() const { return {~code_points, !edge, !final_newline}; }
};

struct Node {
  enum class Kind : uint8_t { kEmpty, kSet, kBefore, kAfter, kConcat, kAlternate, kRepeat };
  static constexpr uint32_t kUnbounded = 0xFFFFFFFFu;

  Kind kind = Kind::kEmpty;
  Neighbours set;              // kSet: its code points; kBefore and kAfter: what stands there
  std::vector<Node> children;  // kConcat and kAlternate: in order; kRepeat: one
  uint32_t least = 0, most = 0;
  bool is_greedy = true;

  static Node of_set(CodePoints code_points) { return {Kind::kSet, Neighbours::of(std::move(code_points)), {}}; }
  bool is_set() const { return kind == Kind::kSet; }
  // Whether it is a set, at least once and as often as possible.
  bool is_run() const {
    return kind == Kind::kRepeat && children[0].is_set() && least == 1 && most == kUnbounded && is_greedy;
  }
  // Whether it can match without taking a character.
  bool may_be_empty() const;
};

// `has_nested_sets`: brackets and && inside a class are sets and their intersection (version 1 of the regex package).
// Throws Unsupported.
Node parse(std::string_view expression, bool has_nested_sets);

}  // namespace bpe::compiled
