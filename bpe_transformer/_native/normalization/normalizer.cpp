#include "normalization/normalizer.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include "base/interruption.hpp"
#include "normalization/normalization_tables.hpp"
#include "text/append_utf8.hpp"
#include "text/unicode.hpp"

namespace bpe {

namespace {

std::string_view view(const uint8_t* from, const uint8_t* to) {
  return {reinterpret_cast<const char*>(from), static_cast<size_t>(to - from)};
}

Text text_in(const std::string& text) { return {reinterpret_cast<const uint8_t*>(text.data()), text.size()}; }

// Writes what a step makes of a text, from its start to its end. Nothing is written before the first change.
class Output {
 public:
  Output(Text text, std::string& out, Alignment* alignment)
      : text_(text), done_(text.data), out_(out), alignment_(alignment) {}

  // Text up to `from` as it is, and `by` for what is from there to `to`.
  void replace(const uint8_t* from, const uint8_t* to, std::string_view by) {
    if (view(from, to) == by) return;
    same(from);
    out_ += by;
    if (alignment_) alignment_->changed(place(from), place(to), by.size());
    done_ = to;
    is_changed_ = true;
  }
  // Writes the rest; whether anything was replaced.
  bool finish() {
    if (is_changed_) same(text_.data + text_.size);
    return is_changed_;
  }

 private:
  size_t place(const uint8_t* p) const { return static_cast<size_t>(p - text_.data); }
  void same(const uint8_t* to) {
    out_ += view(done_, to);
    if (alignment_) alignment_->same(place(done_), place(to));
  }

  Text text_;
  const uint8_t* done_;
  std::string& out_;
  Alignment* alignment_;
  bool is_changed_ = false;
};

class FormStep final : public NormalizationStep {
 public:
  explicit FormStep(Form form) : form_(form) {}
  bool apply(Text text, std::string& out, Alignment* alignment) const override {
    if (first_change(form_, text) == text.size) return false;
    out = bpe::normalized(form_, text, alignment);
    return true;
  }

 private:
  Form form_;
};

// Lower case by code point: the text of those that change, and its place.
class LowerCase {
 public:
  static const LowerCase& get() {
    static const LowerCase table;
    return table;
  }
  // Empty for a character that stays.
  std::string_view of(uint32_t c) const {
    const uint16_t place = c < place_.size() ? place_[c] : uint16_t{0};
    return place ? std::string_view(texts_[place]) : std::string_view();
  }
  // Whether no character but ASCII letters changes that begins in 32 bytes, with one more after them. Errs on the side
  // of no.
  bool only_ascii_changes(const uint8_t* p) const {
    uint8_t may_change = 0;
    for (size_t i = 0; i < 32; ++i) {
      const uint8_t is_uncased = p[i] < 0xC3 || (p[i] >= 0xE3 && p[i] <= 0xED && (p[i] != 0xEA || p[i + 1] >= 0xB0));
      may_change |= is_uncased ^ 1;
    }
    return !may_change && has_uncased_;
  }

 private:
  LowerCase() : place_(unicode::kLowercase[std::size(unicode::kLowercase) - 2] + 1, 0), texts_(1) {
    for (size_t i = 0; i < std::size(unicode::kLowercase); i += 2) {
      place_[unicode::kLowercase[i]] = static_cast<uint16_t>(texts_.size());
      append_utf8(unicode::kLowercase[i + 1], texts_.emplace_back());
      // the one character whose lower case is two
      if (unicode::kLowercase[i] == 0x130) texts_.back() = "i\xCC\x87";
      const uint32_t c = unicode::kLowercase[i];
      const bool is_cased = c < 0x80 || (c >= 0xC0 && c < 0x3000) || (c >= 0xA000 && c < 0xAC00) || c >= 0xE000;
      has_uncased_ &= is_cased;
    }
  }
  std::vector<uint16_t> place_;
  std::vector<std::string> texts_;
  bool has_uncased_ = true;  // what only_ascii_changes takes for granted
};

class LowercaseStep final : public NormalizationStep {
 public:
  bool apply(Text text, std::string& out, Alignment* alignment) const override {
    return alignment ? apply_aligned(text, out, *alignment) : apply_quickly(text, out);
  }

 private:
  static constexpr size_t kSteps = 1 << 16, kBlock = 32;

  static bool apply_aligned(Text text, std::string& out, Alignment& alignment) {
    const uint8_t* const end = text.data + text.size;
    Output output(text, out, &alignment);
    Checkpoint* const checkpoint = Checkpoint::current();
    size_t steps = 0;
    for (const uint8_t* p = text.data; p < end;) {
      if (checkpoint && ++steps % kSteps == 0) checkpoint->pass();
      const unicode::Symbol symbol = unicode::decode(p, end);
      const std::string_view changed = LowerCase::get().of(symbol.code_point);
      if (!changed.empty()) output.replace(p, p + symbol.length, changed);
      p += symbol.length;
    }
    return output.finish();
  }

  // Blocks in which only ASCII can change at once, others character by character.
  static bool apply_quickly(Text text, std::string& out) {
    const LowerCase& lower = LowerCase::get();
    const uint8_t* const end = text.data + text.size;
    out.reserve(text.size + text.size / 16 + kBlock);
    Checkpoint* const checkpoint = Checkpoint::current();
    size_t steps = 0;
    bool is_changed = false;
    for (const uint8_t* p = text.data; p < end;) {
      if (checkpoint && ++steps % kSteps == 0) checkpoint->pass();
      while (static_cast<size_t>(end - p) > kBlock && lower.only_ascii_changes(p)) {
        uint8_t block[kBlock];
        is_changed |= lowered(p, block);
        out.append(reinterpret_cast<const char*>(block), kBlock);
        p += kBlock;
      }
      // the block may have ended within a character, whose other bytes stay as they are
      const uint8_t* const stop = p + std::min<size_t>(kBlock, static_cast<size_t>(end - p));
      const uint8_t* done = p;
      while (p < stop) {
        const unicode::Symbol symbol = unicode::decode(p, end);
        const std::string_view changed = lower.of(symbol.code_point);
        if (!changed.empty()) {
          is_changed = true;
          out.append(view(done, p)).append(changed);
          done = p + symbol.length;
        }
        p += symbol.length;
      }
      out += view(done, p);
    }
    return is_changed;
  }

  static bool lowered(const uint8_t* from, uint8_t* to) {
    uint8_t any = 0;
    for (size_t i = 0; i < kBlock; ++i) {
      const uint8_t is_upper = from[i] >= 'A' && from[i] <= 'Z' ? 0x20 : 0;
      any |= is_upper;
      to[i] = from[i] | is_upper;
    }
    return any != 0;
  }
};

class PrependStep final : public NormalizationStep {
 public:
  explicit PrependStep(std::string content) : content_(std::move(content)) {}
  bool apply(Text text, std::string& out, Alignment* alignment) const override {
    Output output(text, out, alignment);
    output.replace(text.data, text.data, content_);
    return output.finish();
  }

 private:
  std::string content_;
};

class ReplaceStep final : public NormalizationStep {
 public:
  ReplaceStep(FindMatches matches, std::string content) : matches_(std::move(matches)), content_(std::move(content)) {}
  bool apply(Text text, std::string& out, Alignment* alignment) const override {
    Output output(text, out, alignment);
    const uint8_t* last = text.data;
    matches_(text, [&](const uint8_t* from, const uint8_t* to) {
      if (from == to && from == last && last != text.data) return;
      output.replace(from, to, content_);
      last = to;
    });
    return output.finish();
  }

 private:
  FindMatches matches_;
  std::string content_;
};

// Replaces runs of some characters. Most often a run is one character, and replaced by itself.
class ReplaceRunsStep final : public NormalizationStep {
 public:
  ReplaceRunsStep(const compiled::Automaton& runs, std::string content) : runs_(runs), content_(std::move(content)) {
    for (unsigned byte = 0; byte < 256; ++byte) begins_[byte] = runs.may_begin(static_cast<uint8_t>(byte));
    if (content_.size() == 1) same_ = static_cast<uint8_t>(content_[0]);
  }
  bool apply(Text text, std::string& out, Alignment* alignment) const override {
    const uint8_t* const end = text.data + text.size;
    Output output(text, out, alignment);
    compiled::Match run{end, end};
    for (const uint8_t* p = next(text.data, end); p < end && runs_.find(text.data, p, end, false, run);) {
      output.replace(run.from, run.to, content_);
      p = next(run.to, end);
    }
    return output.finish();
  }

 private:
  // Whether a run may begin here that is not the content alone.
  bool may_change(const uint8_t* p) const { return begins_[p[0]] & ((p[0] != same_) | begins_[p[1]]); }
  const uint8_t* next(const uint8_t* p, const uint8_t* end) const {
    for (; end - p > 8; p += 8) {
      bool any = false;
      for (int i = 0; i < 8; ++i) any |= may_change(p + i);
      if (any) break;
    }
    while (end - p > 1 && !may_change(p)) ++p;
    return end - p == 1 && !begins_[*p] ? end : p;
  }

  const compiled::Automaton& runs_;
  std::string content_;
  unsigned same_ = 256;  // the content, if it is one ASCII character, or one that no character begins with
  std::array<uint8_t, 256> begins_{};
};

class CharsmapStep final : public NormalizationStep {
 public:
  CharsmapStep(const Charsmap& map, bool by_graphemes) : map_(map), by_graphemes_(by_graphemes) {}
  bool apply(Text text, std::string& out, Alignment* alignment) const override {
    out = by_graphemes_ ? map_.by_graphemes(text, alignment) : map_.normalized(text, alignment);
    return true;
  }

 private:
  const Charsmap& map_;
  bool by_graphemes_;
};

// What a step says of its text, said of the original; `before` says where the bytes of the step's text come from.
void compose(const Alignment& before, Alignment& step) {
  const size_t size = before.starts.size();
  const auto start_of = [&](int64_t place) {
    if (static_cast<size_t>(place) < size) return before.starts[static_cast<size_t>(place)];
    return size ? before.ends.back() : int64_t{0};
  };
  for (size_t i = 0; i < step.starts.size(); ++i) {
    const int64_t first = step.starts[i], last = step.ends[i];
    step.starts[i] = start_of(first);
    step.ends[i] = last > first ? before.ends[static_cast<size_t>(last - 1)] : step.starts[i];
  }
}

}  // namespace

Step form_step(Form form) { return std::make_unique<FormStep>(form); }
Step lowercase_step() { return std::make_unique<LowercaseStep>(); }
Step prepend_step(std::string content) { return std::make_unique<PrependStep>(std::move(content)); }
Step charsmap_step(const Charsmap& map) { return std::make_unique<CharsmapStep>(map, false); }
Step graphemes_step(const Charsmap& map) { return std::make_unique<CharsmapStep>(map, true); }
Step replace_step(FindMatches matches, std::string content) {
  return std::make_unique<ReplaceStep>(std::move(matches), std::move(content));
}

Step replace_step(const compiled::Stage& stage, std::string content) {
  const compiled::Automaton& automaton = stage.automaton;
  if (stage.pattern.is_run()) return std::make_unique<ReplaceRunsStep>(automaton, std::move(content));
  const auto matches = [&automaton](Text text, const FoundMatch& found) {
    const uint8_t* const end = text.data + text.size;
    const uint8_t* at = text.data;
    compiled::Match match{end, end};
    for (bool advance = false; automaton.find(text.data, at, end, advance, match); at = match.to) {
      pass_checkpoint();
      advance = match.from == match.to;
      found(match.from, match.to);
    }
  };
  return replace_step(matches, std::move(content));
}

Text Normalizer::normalized(Text text, std::string& buffer, Alignment* alignment) const {
  constexpr size_t kMostGrowth = 1000;
  const size_t most = kMostGrowth * (text.size + 1);
  Text now = text;
  std::string changed;
  for (const Step& step : steps_) {
    if (!now.size) break;
    changed.clear();
    Alignment found;
    if (!step->apply(now, changed, alignment ? &found : nullptr)) continue;
    if (changed.size() > most) throw TextGrows(most);
    if (alignment) {
      if (now.data != text.data) compose(*alignment, found);
      std::swap(*alignment, found);
    }
    buffer.swap(changed);
    now = text_in(buffer);
  }
  if (alignment && now.data == text.data) alignment->same(0, text.size);
  return now;
}

}  // namespace bpe
