// Learns merges from word counts: the pair with the highest count, ties to the smallest (left id, right id).
// Data structure. All distinct words lie one after another in one array of ids, most frequent first. A merged token
// keeps its id in its first and last slot, so the neighbours of a token are found without links: the next token starts
// `length` slots on, and the slot before a token holds the id of the token that ends there. A new pair appears only
// when one of its ids is new, so its list of positions is complete from the start and contiguous; later entries only
// become stale. For the same reason counts never rise, so pairs below a threshold are not stored at all: if the best
// count sinks to the threshold, one pass over the words finds them with a lower one.
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
  uint32_t runner_left, runner_right;  // the second-best pair; kNoId if there was none
  uint64_t runner_count;
  uint64_t words_touched;  // distinct words
  uint64_t tokens_left;    // in the whole corpus, after the merge
};

struct LearnerOptions {
  uint32_t max_merges = 0;  // expected, to choose the first threshold
  uint64_t min_frequency = 1;
  size_t max_token_bytes = SIZE_MAX;
  std::vector<std::string> forbidden_tokens;  // bytes that no merge may produce, such as a special token's
  std::vector<uint32_t> unmergeable_ids;      // ids that no merge may use, such as <unk>
  bool record = true;                         // whether to find the runner-up and the words touched, which takes time
};

class Learner {
 public:
  // `tokens` holds the bytes of ids 0, 1, …; merges get the ids after them. Words begin as `alphabet` splits them, or
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
                 uint64_t drop_below);  // the pair of that key, new with count 0 if missing; may move all pairs
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

  // Sums over the occurrences of a merge next to one neighbouring id.
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

  void load_words(const WordCounts& words, const Alphabet& alphabet, const Encoder* base);
  void index_words();
  template <class Visit>
  void each_pair(Visit&& visit) const;
  void scan_pairs(uint64_t threshold);
  void compact();
  void refresh_top();
  uint64_t word_of(Position position) const;
  bool gap_between(Position from, Position to) const;
  uint64_t count_of(uint64_t word) const { return word < counts_.size() ? counts_[word] : 1; }
  bool allowed(Id left, Id right) const;
  void apply(const Candidate& best, MergeRecord& record);
  bool merge_at(Position start, Id left, Id right, Id new_id);
  void add_neighbour(Side& side, Id neighbour, Position start, uint64_t count);
  void insert_new_pairs(Side& side, bool new_is_right, Id new_id);
  void subtract_broken_pairs(const Side& side, uint64_t merged_key, Id new_id);
  Position* allocate(size_t count);

  std::vector<Id> slots_;
  std::vector<uint32_t> length_;       // slots that a token takes, by id
  std::vector<uint64_t> counts_;       // by word, up to the last that is not 1
  std::vector<uint64_t> gap_bits_;     // one bit a slot
  std::vector<uint32_t> gaps_before_;  // by 64 slots
  Position first_single_ = 0;          // where words that occur once begin
  Position longest_word_ = 0;          // slots
  uint64_t tokens_left_ = 0;
  std::vector<std::string> bytes_;    // by id
  std::vector<uint8_t> unmergeable_;  // by id
  std::unordered_set<std::string> forbidden_;
  std::vector<uint8_t> forbidden_sizes_;  // by size in bytes: whether one of forbidden_ has it
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
