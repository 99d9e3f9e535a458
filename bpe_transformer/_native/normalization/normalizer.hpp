// Normalisation in steps, one after another, and where the bytes of normalised text come from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "normalization/alignment.hpp"
#include "normalization/charsmap.hpp"
#include "normalization/forms.hpp"
#include "splitting/compiled/split_sequence.hpp"
#include "text/text.hpp"

namespace bpe {

// Normalisation makes far more of a text than there was.
struct TextGrows : std::runtime_error {
  explicit TextGrows(size_t most) : std::runtime_error("normalisation makes too much of a text"), most(most) {}
  size_t most;  // bytes that would have been allowed
};

class NormalizationStep {
 public:
  NormalizationStep() = default;
  NormalizationStep(const NormalizationStep&) = delete;
  NormalizationStep& operator=(const NormalizationStep&) = delete;
  virtual ~NormalizationStep() = default;
  // Writes a text that is not empty, and where its bytes come from if that is wanted; false, with nothing written, if
  // the text stays as it is.
  virtual bool apply(Text text, std::string& out, Alignment* alignment) const = 0;
};

using Step = std::unique_ptr<const NormalizationStep>;
// Calls found(from, to) for each match in a text, one after another.
using FoundMatch = std::function<void(const uint8_t* from, const uint8_t* to)>;
using FindMatches = std::function<void(Text text, const FoundMatch& found)>;

Step form_step(Form form);
// Each character on its own in lower case.
Step lowercase_step();
// A text that is not empty gets a string before it, which comes from no byte.
Step prepend_step(std::string content);
// Each match is replaced. An empty one right after another does not count.
Step replace_step(FindMatches matches, std::string content);
// The same for the matches of a compiled stage, which has to outlive the step.
Step replace_step(const compiled::Stage& stage, std::string content);
// SentencePiece's normalisation, and that of the `tokenizers` package with the same map: Charsmap::by_graphemes.
// The map has to outlive the step.
Step charsmap_step(const Charsmap& map);
Step graphemes_step(const Charsmap& map);

class Normalizer {
 public:
  explicit Normalizer(std::vector<Step> steps) : steps_(std::move(steps)) {}
  Normalizer(const Normalizer&) = delete;
  Normalizer& operator=(const Normalizer&) = delete;

  // The normalised text: `text` itself, or in `buffer`. Throws TextGrows.
  Text normalized(Text text, std::string& buffer, Alignment* alignment = nullptr) const;

 private:
  std::vector<Step> steps_;
};

}  // namespace bpe
