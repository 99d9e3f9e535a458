// Compiled patterns that split a text one after another: each splits what the one before it has left.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "splitting/compiled/automaton.hpp"
#include "splitting/compiled/stream.hpp"

namespace bpe::compiled {

// What a stage does with the matches of its pattern.
struct Behavior {
  // What is left of a text: matches and the text between them, or only one of the two.
  enum class Keeps : uint8_t { kAll, kMatches, kBetween };
  // What a match becomes one span with, where all is kept.
  enum class Joins : uint8_t { kNothing, kTextBefore, kTextAfter, kMatches };
  Keeps keeps = Keeps::kAll;
  Joins joins = Joins::kNothing;
  bool finishes = false;  // its matches are pre-tokens, which no later stage splits
  bool of_names = false;  // it sees GPT-2's names of bytes
};

struct Stage {
  using Keeps = Behavior::Keeps;
  using Joins = Behavior::Joins;
  Node pattern;
  Automaton automaton;
  Behavior does;
  Stream stream = Stream();
};

class SplitSequence {
 public:
  // Throws Unsupported.
  void add(std::string_view expression, bool has_nested_sets, const Behavior& behavior);
  // After all are added: makes it fast.
  void finish();

  const std::vector<Stage>& stages() const { return stages_; }
  bool keeps_all() const { return keeps_all_; }
  // Whether a text can always be cut between two code points without changing its pre-tokens. Errs on the side of no.
  bool is_cut(uint32_t before, uint32_t after) const;
  // Whether some texts can be cut.
  bool can_cut() const;

 private:
  bool is_alone(size_t stage, const CodePoints& taken) const;
  std::vector<Part> parts() const;
  void merge();

  std::vector<Stage> stages_;
  bool keeps_all_ = true;
};

// The pre-tokens of a text, one after another.
class SequenceSplitter {
 public:
  SequenceSplitter(const SplitSequence& sequence, const uint8_t* begin, const uint8_t* end)
      : stages_(sequence.stages()), keeps_all_(sequence.keeps_all()), first_(begin, end) {
    if (stages_.size() > 1) later_.resize(stages_.size() - 1);
    if (stages_.size() == 1 && stages_[0].stream.is_ready())
      stream_.emplace(stages_[0].stream, stages_[0].automaton, begin, end);
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
  static bool find(const Stage& stage, Cursor& cursor);
  static bool take(const Stage& stage, Cursor& cursor, Match& span, bool& is_match);
  static bool take_joined(const Stage& stage, Cursor& cursor, Match& span);
  Cursor& cursor(size_t level) { return level ? later_[level - 1] : first_; }

  const std::vector<Stage>& stages_;
  const bool keeps_all_;
  std::optional<StreamSplitter> stream_;
  Cursor first_;               // of the first stage
  std::vector<Cursor> later_;  // of those after it
  size_t level_ = 0;
};

}  // namespace bpe::compiled
