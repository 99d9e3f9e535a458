// Learns merges from word counts: the pair with the highest count, ties to the smallest (left id, right id).
//
// How it stays fast. All distinct words lie one after another in one array of ids, most frequent first. A token keeps
// its first and last slot labelled with its id, so both neighbours of any token are found without links: the next token
// starts `length` slots on, and the slot before a token names the token that ends there. New pairs arise only when one
// of their two ids is made, so a pair's list of positions is complete at birth and lies in one piece; it only goes
// stale. Counts never rise after birth either, so pairs born below a threshold are not recorded at all: should the best
// count ever sink to it, one pass over the words finds them again with a lower threshold.
#pragma once

#include <cstdint>
#include <memory>
#include <queue>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "counting/word_counts.hpp"
#include "encoding/encoder.hpp"
#include "merging/alphabet.hpp"

namespace bpe {

struct MergeRecord {
  uint32_t left, right;
  uint64_t count;
  uint32_t runner_left, runner_right;  // kNoId if there was no other pair
  uint64_t runner_count;
  uint64_t words_touched;  // distinct words
  uint64_t tokens_left;    // in the whole corpus, after the merge
};

struct LearnerOptions {
  uint32_t max_merges = 0;  // expected, to choose the first threshold
  uint64_t min_frequency = 1;
  size_t max_token_bytes = SIZE_MAX;
  std::vector<std::string> never;  // bytes that no merge may make, such as a special token's
  std::vector<uint32_t> apart;     // ids that no merge may take, such as <unk>
  bool record = true;              // whether runner-up and words touched are found out: costs time
};

class Learner {
 public:
  // `tokens` holds the bytes of ids 0, 1, …; merges make the ids after them. Words begin as `alphabet` splits them, or
  // as `base` encodes them if there is one. Throws UnknownCharacter, std::length_error and std::overflow_error.
  Learner(const WordCounts& words, const Alphabet& alphabet, const Encoder* base, std::vector<std::string> tokens,
          const LearnerOptions& options);

  Learner(const Learner&) = delete;
  Learner& operator=(const Learner&) = delete;

  // One merge; false when no pair is left that occurs at least min_frequency times.
  bool step(MergeRecord& record);

  uint64_t tokens() const { return tokens_left_; }

 private:
  using Id = uint32_t;
  using Position = uint32_t;
  static constexpr Id kGap = 0xFFFFFFFFu;   // between words
  static constexpr Id kHole = 0xFFFFFFFEu;  // inside a token

  struct Pair {
    uint64_t key;  // left << 32 | right; kEmpty when free
    uint64_t count;
    Position* list;
    uint32_t length;
  };
  static constexpr uint64_t kEmpty = UINT64_MAX;

  class PairTable {
   public:
    PairTable() : pairs_(1 << 12, Pair{kEmpty, 0, nullptr, 0}) {}
    Pair* find(uint64_t key);
    void prefetch(uint64_t key) const;
    Pair& insert(uint64_t key,
                 uint64_t drop_below);  // the key's pair, made with count 0 if missing; may move all pairs
    void clear();
    template <class Keep>
    void remove_if_not(Keep&& keep);
    template <class Visit>
    void each(Visit&& visit) {
      for (Pair& pair : pairs_)
        if (pair.key != kEmpty) visit(pair);
    }

   private:
    size_t place(uint64_t key) const;
    void rebuild(uint64_t drop_below);
    std::vector<Pair> pairs_;
    size_t used_ = 0;
  };

  struct Candidate {
    uint64_t count, key;
    bool operator<(const Candidate& other) const {
      return count != other.count ? count < other.count : key > other.key;
    }
  };

  // What a merge adds up for one neighbouring id.
  struct Neighbour {
    uint64_t count = 0;
    uint32_t occurrences = 0;
    Position* cursor = nullptr;
  };
  struct Side {
    std::vector<Neighbour> of;  // by id
    std::vector<Id> touched;
    std::vector<std::pair<Id, Position>> occurrences;  // neighbour, where the new pair starts
  };

  static uint64_t key_of(Id left, Id right) { return uint64_t{left} << 32 | right; }

  void lay_out(const WordCounts& words, const Alphabet& alphabet, const Encoder* base);
  void index_words();
  void scan_pairs(uint64_t threshold);
  void compact();
  void settle();
  uint64_t word_of(Position position) const;
  bool gap_between(Position from, Position to) const;
  uint64_t count_of(uint64_t word) const { return word < counts_.size() ? counts_[word] : 1; }
  bool allowed(Id left, Id right) const;
  void apply(const Candidate& best, MergeRecord& record);
  bool join(Position start, Id left, Id right, Id made);
  void note(Side& side, Id neighbour, Position start, uint64_t count);
  void give_birth(Side& side, bool made_is_right, Id made);
  void lower(const Side& side, uint64_t merged_key, Id made);
  Position* allocate(size_t count);

  std::vector<Id> slots_;
  std::vector<uint32_t> length_;       // slots a token takes, by id
  std::vector<uint64_t> counts_;       // by word, down to the last that is not 1
  std::vector<uint64_t> gap_bits_;     // one bit a slot
  std::vector<uint32_t> gaps_before_;  // by 64 slots
  Position first_single_ = 0;          // where words that occur once begin
  Position longest_word_ = 0;          // slots
  uint64_t tokens_left_ = 0;
  std::vector<std::string> bytes_;  // by id
  std::vector<uint8_t> apart_;      // by id, up to the last that is
  std::unordered_set<std::string> never_;
  std::vector<uint8_t> never_sizes_;  // by size in bytes, whether one of never_ has it
  size_t max_token_bytes_;

  PairTable table_;
  std::priority_queue<Candidate> queue_;
  std::vector<std::unique_ptr<Position[]>> blocks_;
  size_t block_left_ = 0;
  Position* block_next_ = nullptr;

  Side left_, right_;
  uint64_t threshold_ = 1;
  uint64_t min_frequency_;
  bool record_;
  Id next_id_;
};

}  // namespace bpe
