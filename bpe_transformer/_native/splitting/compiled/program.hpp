// A pattern as a program for a machine of threads, in the order in which a backtracking search would try them.
#pragma once

#include <cstdint>
#include <vector>

#include "splitting/compiled/syntax.hpp"

namespace bpe::compiled {

struct Instruction {
  // kSet takes a character of a set, kBefore and kAfter check a neighbour, kSplit goes on at `next` and then at
  // `other`.
  enum class Op : uint8_t { kMatch, kSet, kBefore, kAfter, kSplit };
  Op op;
  uint32_t set;  // its number
  uint32_t next, other;
  uint32_t part = 0;
};

// A pattern that sees only some characters: all others are edges of its text.
struct Part {
  const Node* pattern;
  CodePoints alphabet = CodePoints::all();
  bool drops = false;  // its matches are no part of pre-tokens
  bool skips = false;  // nor is any character at which none begins
};

struct Program {
  static constexpr uint32_t kKept = 0, kDropped = 1;  // the instructions kMatch
  std::vector<Instruction> instructions;
  std::vector<Neighbours> sets;
  uint32_t start = 0;
  bool looks_back = false;
  bool marks_final_newline = false;  // whether a newline at the end of the text differs from others

  std::vector<CodePoints> alphabets;  // of the parts

  // Throws Unsupported if it would be too long.
  explicit Program(const std::vector<Part>& parts);
  explicit Program(const Node& pattern) : Program(std::vector<Part>{{&pattern}}) {}

  // The characters that it takes.
  CodePoints taken() const;

 private:
  uint32_t part_ = 0;

  uint32_t add(Instruction::Op op, uint32_t set, uint32_t next, uint32_t other);
  uint32_t set_number(const Neighbours& set);
  uint32_t compile(const Node& node, uint32_t next);
  uint32_t compile_repeat(const Node& node, uint32_t next);
  uint32_t split(uint32_t body, uint32_t after, bool is_greedy);
};

}  // namespace bpe::compiled
