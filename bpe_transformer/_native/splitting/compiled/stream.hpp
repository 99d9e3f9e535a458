// Splits a text in one pass: an automaton that begins its next search by itself where a match has ended.
//
// A state here is one of the automaton's with the characters that it has taken since the end of the last match it knows
// of. If it gets stuck, the match ends there, and what these characters lead to from the start is part of the table as
// well. Where there are more than a few of them, or no match at all, the automaton has to search.
//
// A look-up has to wait for the one before it. So several places of a text are split at once, from each to the next,
// where the text can be cut.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "splitting/compiled/automaton.hpp"

namespace bpe::compiled {

class Stream {
 public:
  // Builds the table; leaves it empty for an automaton that this does not suit. `automaton` finds the matches; where
  // only they are kept, `skipping` also drops each character at which none begins.
  void prepare(const Automaton& automaton, const Automaton& skipping);
  bool is_ready() const { return !table_.empty(); }

 private:
  friend class StreamSplitter;
  // A transition: the row of the next state, and where pre-tokens end: before the character, and one and two before it;
  // and which of these are dropped.
  static constexpr uint32_t kEnd = 1u << 31, kEndOneBack = kEnd >> 1, kEndTwoBack = kEnd >> 2;
  static constexpr uint32_t kSearch = 1u << 28;  // no transition: the automaton has to search
  static constexpr uint32_t kDrop = 1u << 27;
  static constexpr uint32_t kState = (kDrop >> 2) - 1;
  static constexpr size_t kMostWaiting = 2;

  struct State {
    uint32_t state = 0;             // the automaton's
    std::vector<uint32_t> waiting;  // classes of the characters since the last end
    bool has_match = false, drops = false;
    auto operator<=>(const State&) const = default;
  };

  uint32_t row_of(const State& state);
  uint32_t transition(const Automaton& automaton, const State& from, uint32_t number);
  bool step(const Automaton& automaton, State& state, uint32_t number, size_t back, uint32_t& ends) const;

  size_t stride_ = 0;
  bool skips_ = false;  // text without matches is dropped
  std::vector<uint32_t> table_;
  std::vector<uint8_t> cuts_;  // by the classes of two characters: whether a text can always be cut between them
  std::map<State, uint32_t> rows_;
  std::vector<State> states_;
};

// The pre-tokens of a text, one after another.
class StreamSplitter {
 public:
  StreamSplitter(const Stream& stream, const Automaton& automaton, const uint8_t* begin, const uint8_t* end)
      : stream_(stream), automaton_(automaton), end_(end), from_(begin), at_(begin) {}

  // Writes up to `most` of them (at least 4); returns how many, 0 after the last. `starts` is null where each begins at
  // the end of the one before it.
  size_t next(size_t most, const uint8_t** starts, const uint8_t** ends);

 private:
  static constexpr size_t kChains = 4;
  static constexpr size_t kSegment = 512, kLookForCut = 64;  // bytes
  struct Buffer {
    const uint8_t *starts[kSegment + kLookForCut + 8], *ends[kSegment + kLookForCut + 8];
  };
  // Where one of several places of a text is, and what has been found from there on.
  template <bool kGaps>
  struct Chain {
    const uint8_t* from;  // the start of the next pre-token, or, without gaps, of the first
    const uint8_t* at;    // the next character
    const uint8_t* stop;  // goes on while at < stop
    uint32_t state;
    const uint8_t **starts, **ends;
    size_t n = 0;
    Match found{nullptr, nullptr, false};  // by the last search

    const uint8_t* start() const { return kGaps || n == 0 ? from : ends[n - 1]; }
    void end(const uint8_t* to, bool drops) {
      if constexpr (kGaps) {
        starts[n] = from;
        from = to;
      }
      ends[n] = to;
      n += !drops;
    }
  };

  template <bool kGaps>
  bool step(Chain<kGaps>& chain, const uint32_t* table, const Classes& classes) const;
  template <bool kGaps>
  void rare(Chain<kGaps>& chain, uint32_t to) const;
  template <bool kGaps>
  void search(Chain<kGaps>& chain) const;
  template <bool kGaps>
  bool split_at_once();
  template <bool kGaps>
  size_t split_rest(size_t most, const uint8_t** starts, const uint8_t** ends);
  size_t take(size_t most, const uint8_t** starts, const uint8_t** ends);
  const uint8_t* find_cut(const uint8_t* p) const;
  const uint8_t* one_back(const uint8_t* from, const uint8_t* p) const;

  const Stream& stream_;
  const Automaton& automaton_;
  const uint8_t* const end_;
  const uint8_t *from_, *at_;
  uint32_t state_ = 0;
  std::unique_ptr<std::array<Buffer, kChains>> buffers_;
  std::array<size_t, kChains> count_{};  // of pre-tokens in the buffers
  size_t chain_ = kChains, taken_ = 0;   // the buffer that is being given, and how much of it has been
};

}  // namespace bpe::compiled
