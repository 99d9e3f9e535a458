// Compiled patterns that split a text one after another: each splits what the one before it has left.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "splitting/compiled/automaton.hpp"
#include "splitting/compiled/stream.hpp"

namespace bpe::compiled {

struct Stage {
  // What is left of a text: matches and the text between them, or only one of the two.
  enum class Keeps : uint8_t { kAll, kMatches, kBetween };
  Node pattern;
  Automaton automaton;
  Keeps keeps;
  bool finishes;  // its matches are pre-tokens, which no later stage splits
  Stream stream = Stream();
};

class SplitSequence {
 public:
  static constexpr size_t kMostStages = 8;

  // Throws Unsupported.
  void add(std::string_view expression, bool has_nested_sets, Stage::Keeps keeps, bool finishes);
  // After all are added: makes it fast.
  void finish();

  const std::vector<Stage>& stages() const { return stages_; }
  bool keeps_all() const;
  // Whether a text can always be cut between two code points without changing its pre-tokens. Errs on the side of no.
  bool is_cut(uint32_t before, uint32_t after) const;
  // Whether some texts can be cut.
  bool can_cut() const;

 private:
  bool is_alone(size_t stage, const CodePoints& taken) const;
  std::vector<Part> parts() const;
  void merge();

  std::vector<Stage> stages_;
};

// The pre-tokens of a text, one after another.
class SequenceSplitter {
 public:
  SequenceSplitter(const SplitSequence& sequence, const uint8_t* begin, const uint8_t* end)
      : stages_(sequence.stages()), streams_(stages_.size() == 1 && stages_[0].stream.is_ready()) {
    cursors_[0] = Cursor(begin, end);
    place_ = Stream::Place(begin);
  }

  // Writes up to `most` pre-tokens; returns how many, 0 after the last. `starts` only where they do not add up to the
  // text.
  size_t next(size_t most, const uint8_t** starts, const uint8_t** ends);

 private:
  struct Cursor {  // where a stage is in its text
    const uint8_t *begin = nullptr, *end = nullptr;
    const uint8_t* from = nullptr;  // what is before has been given
    const uint8_t* at = nullptr;    // where the search goes on
    Match match{nullptr, nullptr};
    bool has_match = false, advance = false, done = false;

    Cursor() = default;
    Cursor(const uint8_t* begin, const uint8_t* end) : begin(begin), end(end), from(begin), at(begin) {}
  };
  bool take(const Stage& stage, Cursor& cursor, Match& span, bool& is_match) const;

  const std::vector<Stage>& stages_;
  const bool streams_;
  Stream::Place place_{nullptr};
  std::array<Cursor, SplitSequence::kMostStages> cursors_;
  size_t level_ = 0;
};

}  // namespace bpe::compiled
