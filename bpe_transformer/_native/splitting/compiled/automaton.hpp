// Finds the matches of a pattern with a table: one look-up a character, whatever the pattern. Of several matches at one
// place it finds the one that a backtracking search would find first.
//
// A state is a list of threads of the program in order of preference, so that those after a match can be cut off. What
// may stand before or after a position is known when the next character is, so a match is noted one step late.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "splitting/compiled/classes.hpp"

namespace bpe::compiled {

struct Match {
  const uint8_t* from;
  const uint8_t* to;
  bool drops = false;  // it is no part of any pre-token
};

class Automaton {
 public:
  // Throws Unsupported for a pattern that needs too many states or classes.
  explicit Automaton(const Program& program, bool of_names = false);

  // Finds the first match in [at, end) of the text [begin, end); false if there is none. `advance`: not an empty one at
  // `at`.
  bool find(const uint8_t* begin, const uint8_t* at, const uint8_t* end, bool advance, Match& match) const;

  // Whether a text can be cut between two characters of these classes so that both sides have the matches of the whole.
  bool is_independent(uint32_t before, uint32_t after) const {
    return !independent_.empty() && independent_[before * classes_.size() + after];
  }
  // Whether a match certainly begins with a character of this class, where none goes over it.
  bool begins_match(uint32_t number) const { return !begins_match_.empty() && begins_match_[number]; }

  // Whether it finds no match in any text of these characters alone.
  bool finds_nothing_in(const CodePoints& alphabet) const;
  bool may_be_empty() const { return may_be_empty_; }
  // Whether a match may begin with a character whose first byte this is.
  bool may_begin(uint8_t byte) const { return may_begin_[byte]; }
  bool looks_back() const { return looks_back_; }

  const Classes& classes() const { return classes_; }
  size_t num_states() const { return transitions_.size() / stride_; }

 private:
  friend class Determinizer;
  friend class Stream;
  // A transition: the place of the next state's row in the table, 0 for the state without threads, and these bits.
  static constexpr uint32_t kMatch = 1u << 31;    // a match ends before the character
  static constexpr uint32_t kLetters = 1u << 30;  // the next state stays the same over ASCII letters
  static constexpr uint32_t kDrop = 1u << 29;     // that match is dropped
  static constexpr uint32_t kState = kDrop - 1;

  bool match_at(const uint8_t* p, const uint8_t* end, uint32_t state, Match& match) const;
  const uint8_t* next_begin(const uint8_t* p, const uint8_t* end) const;
  uint32_t start_at(const uint8_t* begin, const uint8_t* p, bool advance) const {
    return starts_[advance][looks_back_ ? before_[classes_.before(begin, p)] : 0];
  }
  void mark_letters();
  void find_beginnings();
  void find_cuts();
  bool stays_apart(uint32_t state, uint32_t after) const;

  Classes classes_;
  size_t stride_;  // of a row: one transition for each class, and one for the end
  std::vector<uint32_t> transitions_;
  std::array<std::vector<uint32_t>, 2> starts_;  // states at the start of a search, by `advance` and what is before
  std::vector<uint32_t> before_;                 // by class: what look-behind can tell of it
  std::array<bool, 256> may_begin_{};            // bytes with which a match may begin
  std::vector<bool> independent_, begins_match_;
  bool looks_back_, may_be_empty_ = false;
};

}  // namespace bpe::compiled
