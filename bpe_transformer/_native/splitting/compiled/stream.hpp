// Splits a text in one pass: an automaton that begins its next search by itself where a match has ended.
//
// A state here is one of the automaton's with the characters that it has taken since the end of the last match it knows
// of. If it gets stuck, the match ends there, and what these characters lead to from the start is part of the table as
// well. Where there are more than a few of them, or no match at all, the automaton has to search.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "splitting/compiled/automaton.hpp"

namespace bpe::compiled {

class Stream {
 public:
  // Where a text is being split.
  struct Place {
    const uint8_t* from;                 // the start of the next pre-token
    const uint8_t* at;                   // the next character
    const uint8_t *one_back, *two_back;  // the characters before it
    uint32_t state = 0;
    Match found{nullptr, nullptr};  // by the last search

    explicit Place(const uint8_t* begin) : from(begin), at(begin), one_back(begin), two_back(begin) {}
  };

  // Builds the table; leaves it empty for an automaton that this does not suit.
  void prepare(const Automaton& automaton);
  bool is_ready() const { return !table_.empty(); }

  // Writes the ends of up to `most` pre-tokens (at least 4) that follow each other; returns how many, 0 after the last.
  size_t next(const Automaton& automaton, const uint8_t* end, size_t most, const uint8_t** ends, Place& place) const;

 private:
  // A transition: the row of the next state, and where pre-tokens end: before the character, and one and two before it.
  static constexpr uint32_t kEnd = 1u << 31, kEndOneBack = 1u << 30, kEndTwoBack = 1u << 29;
  static constexpr uint32_t kSearch = 1u << 28;  // no transition: the automaton has to search
  static constexpr uint32_t kState = kSearch - 1;
  static constexpr size_t kMostWaiting = 2;

  struct State {
    uint32_t state = 0;             // the automaton's
    std::vector<uint32_t> waiting;  // classes of the characters since the last end
    bool has_match = false;
    auto operator<=>(const State&) const = default;
  };

  const uint8_t* search(const Automaton& automaton, const uint8_t* from, const uint8_t* end, Match& found) const;
  uint32_t row_of(const State& state);
  uint32_t transition(const Automaton& automaton, const State& from, uint32_t number);
  bool step(const Automaton& automaton, State& state, uint32_t number, size_t back, uint32_t& ends) const;

  size_t stride_ = 0;
  std::vector<uint32_t> table_;
  std::map<State, uint32_t> rows_;
  std::vector<State> states_;
};

}  // namespace bpe::compiled
