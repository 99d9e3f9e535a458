// Encodes many texts, with several threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "encoding/encoder.hpp"

namespace bpe {

// Text i has ids[row_starts[i]] to ids[row_starts[i + 1]].
struct EncodedBatch {
  IdBuffer ids;
  std::vector<int64_t> row_starts;
};

EncodedBatch encode_batch(const Encoder& encoder, const Pattern& pattern, const std::vector<Text>& texts,
                          const std::vector<SpecialPolicy>& policies, int num_threads);

// The texts of a batch in shards, each of which one thread encodes: neighbouring texts of about `shard_bytes` together.
class Shards {
 public:
  Shards(const std::vector<Text>& texts, size_t shard_bytes);
  size_t size() const { return starts_.size() - 1; }
  size_t begin(size_t shard) const { return starts_[shard]; }  // number of its first text
  size_t end(size_t shard) const { return starts_[shard + 1]; }

  // Calls work(shard, cache) for every shard, on up to `num_threads` threads.
  void encode(const Encoder& encoder, int num_threads,
              const std::function<void(size_t shard, WordCache& cache)>& work) const;

 private:
  std::vector<size_t> starts_;
};

}  // namespace bpe
