#include "encoding/batch.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

#include "base/parallel.hpp"
#include "encoding/ordered_output.hpp"

namespace bpe {

Shards::Shards(const std::vector<Text>& texts, size_t shard_bytes) {
  size_t bytes = 0;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (i == 0 || bytes >= shard_bytes) starts_.push_back(i), bytes = 0;
    bytes += texts[i].size + 1;
  }
  starts_.push_back(texts.size());
}

void Shards::encode(const Encoder& encoder, int num_threads,
                    const std::function<void(size_t shard, WordCache& cache)>& work) const {
  std::atomic<size_t> next{0};
  const size_t threads = std::min<size_t>(static_cast<size_t>(std::max(num_threads, 1)), size());
  run_threads(static_cast<int>(threads), [&](int) {
    Encoder::BorrowedCache cache(encoder);
    for (size_t shard; (shard = next.fetch_add(1)) < size();) work(shard, *cache);
  });
}

EncodedBatch encode_batch(const Encoder& encoder, const Pattern& pattern, const std::vector<Text>& texts,
                          const std::vector<SpecialPolicy>& policies, int num_threads) {
  constexpr size_t kShardBytes = size_t{1} << 18;  // with their ids they fit a core's own cache
  const Shards shards(texts, num_threads > 1 ? kShardBytes : SIZE_MAX);
  size_t bytes = 0;
  for (const Text& text : texts) bytes += text.size;
  OrderedOutput output(shards.size(), bytes / 4);
  EncodedBatch batch;
  batch.row_starts.resize(texts.size() + 1);
  shards.encode(encoder, num_threads, [&](size_t shard, WordCache& cache) {
    IdBuffer ids = output.take_buffer();
    for (size_t i = shards.begin(shard); i < shards.end(shard); ++i) {
      pass_checkpoint();
      for_text(i, [&] { encoder.encode(pattern, texts[i], policies, cache, ids); });
      batch.row_starts[i + 1] = static_cast<int64_t>(ids.size());
    }
    output.give(shard, std::move(ids));
  });
  for (size_t shard = 1; shard < shards.size(); ++shard) {
    const auto before = static_cast<int64_t>(output.starts()[shard]);
    for (size_t i = shards.begin(shard); i < shards.end(shard); ++i) batch.row_starts[i + 1] += before;
  }
  batch.ids = output.release();
  return batch;
}

}  // namespace bpe
