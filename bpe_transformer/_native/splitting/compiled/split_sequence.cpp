#include "splitting/compiled/split_sequence.hpp"

#include <algorithm>
#include <utility>

namespace bpe::compiled {

void SplitSequence::add(std::string_view expression, bool has_nested_sets, const Behavior& behavior) {
  Node pattern = parse(expression, has_nested_sets);
  Automaton automaton(Program(pattern), behavior.of_names);
  if (behavior.joins != Behavior::Joins::kNothing && automaton.may_be_empty())
    throw Unsupported("empty matches that join the text beside them");
  keeps_all_ &= behavior.keeps == Behavior::Keeps::kAll;
  stages_.push_back({std::move(pattern), std::move(automaton), behavior});
}

// Whether a stage takes all characters of a set, wherever they are, and no others, and later ones leave its matches as
// they are.
bool SplitSequence::is_alone(size_t stage, const CodePoints& taken) const {
  const Program program(stages_[stage].pattern);
  for (const Instruction& one : program.instructions)
    if (one.op == Instruction::Op::kBefore || one.op == Instruction::Op::kAfter) return false;
  const Classes& classes = stages_[stage].automaton.classes();
  for (const CodePoints::Range& range : taken.ranges())
    for (uint32_t c = range.first; c <= range.last; ++c)
      if (!stages_[stage].automaton.begins_match(classes.of(c))) return false;
  for (size_t later = stage + 1; later < stages_.size() && !stages_[stage].does.finishes; ++later)
    if (!stages_[later].automaton.finds_nothing_in(taken)) return false;
  return true;
}

// The parts of a program that does the work of all stages, of characters that are edges of the text to each other.
// Empty if there are none: each stage but the last has to be alone, or to set runs of some characters apart from
// others, or to drop such characters.
std::vector<Part> SplitSequence::parts() const {
  std::vector<Part> found;
  std::vector<CodePoints> runs;
  CodePoints rest = CodePoints::all();
  static const Node everything{Node::Kind::kRepeat, {}, {Node::of_set(CodePoints::all())}, 1, Node::kUnbounded};
  const Node* last = &everything;
  for (size_t i = 0; i < stages_.size(); ++i) {
    const Program program(stages_[i].pattern);
    const Behavior& does = stages_[i].does;
    if (does.of_names || does.joins != Stage::Joins::kNothing) return {};
    if (stages_[i].automaton.may_be_empty() || program.marks_final_newline || program.looks_back) return {};
    const bool drops = does.keeps == Stage::Keeps::kBetween;
    if (does.keeps == Stage::Keeps::kMatches) return {};
    if (i + 1 == stages_.size() && !drops) {
      last = &stages_[i].pattern;
      break;
    }
    const CodePoints taken = program.taken();
    for (const CodePoints& run : runs)
      if (!(run & taken).empty()) return {};
    const Node& pattern = stages_[i].pattern;
    const bool takes_all = drops ? pattern.is_run() || pattern.is_set() : is_alone(i, taken);
    if (takes_all) found.push_back({&pattern, taken & rest, drops});
    else if (!drops && pattern.is_run()) runs.push_back(taken & rest);
    else return {};
    rest = rest & ~taken;
  }
  runs.push_back(rest);
  for (const CodePoints& run : runs) found.push_back({last, run});
  return found;
}

void SplitSequence::merge() {
  const std::vector<Part> all = parts();
  if (all.empty()) return;
  try {
    std::vector<Stage> merged;
    merged.push_back({{}, Automaton(Program(all)), {}});
    merged[0].stream.prepare(merged[0].automaton, merged[0].automaton);
    if (merged[0].stream.is_ready()) stages_ = std::move(merged);
  } catch (const Unsupported&) {  // too many states: one after another, then
    return;
  }
}

void SplitSequence::finish() {
  Stage& stage = stages_.at(0);
  if (stages_.size() > 1 || stage.does.keeps == Stage::Keeps::kBetween) return merge();
  if (stage.does.joins != Stage::Joins::kNothing) return;
  if (stage.does.keeps == Stage::Keeps::kAll) stage.stream.prepare(stage.automaton, stage.automaton);
  if (stage.does.keeps != Stage::Keeps::kMatches) return;
  try {
    const std::vector<Part> part{{.pattern = &stage.pattern, .skips = true}};
    stage.stream.prepare(stage.automaton, Automaton(Program(part), stage.does.of_names));
  } catch (const Unsupported&) {
    return;
  }
}

bool SplitSequence::is_cut(uint32_t before, uint32_t after) const {
  const auto is_character = [](uint32_t c) { return c <= CodePoints::kLast && (c < 0xD800 || c > 0xDFFF); };
  if (!is_character(before) || !is_character(after)) return false;
  for (const Stage& stage : stages_) {
    const Classes& classes = stage.automaton.classes();
    const uint32_t number = classes.first_of(after);
    if (!stage.automaton.is_independent(classes.last_of(before), number)) return false;
    if (stage.does.keeps == Stage::Keeps::kMatches) return true;  // a text that is dropped may be cut anywhere
    const bool begins_span = stage.does.joins == Stage::Joins::kNothing || stage.does.joins == Stage::Joins::kTextAfter;
    if (begins_span && stage.automaton.begins_match(number)) return true;
  }
  return false;
}

bool SplitSequence::can_cut() const {
  std::vector<uint32_t> code_points;
  for (const Stage& stage : stages_) {
    const std::vector<uint32_t> samples = stage.automaton.classes().text_samples();
    code_points.insert(code_points.end(), samples.begin(), samples.end());
  }
  for (const uint32_t before : code_points)
    for (const uint32_t after : code_points)
      if (is_cut(before, after)) return true;
  return false;
}

// Finds the next match, or the end of the text; false if there is none.
bool SequenceSplitter::find(const Stage& stage, Cursor& cursor) {
  cursor.has_match =
      !cursor.done && stage.automaton.find(cursor.begin, cursor.at, cursor.end, cursor.advance, cursor.match);
  if (!cursor.has_match) {
    cursor.done = true;
    cursor.match = {cursor.end, cursor.end};
    return false;
  }
  cursor.at = cursor.match.to;
  cursor.advance = cursor.match.from == cursor.match.to;
  return true;
}

// The next span that a stage leaves of its text; false after the last.
bool SequenceSplitter::take(const Stage& stage, Cursor& cursor, Match& span, bool& is_match) {
  if (stage.does.joins != Stage::Joins::kNothing) return take_joined(stage, cursor, span);
  for (;;) {
    if (cursor.has_match) {
      cursor.has_match = false;
      cursor.from = cursor.match.to;
      if (cursor.match.from == cursor.match.to || stage.does.keeps == Stage::Keeps::kBetween) continue;
      span = cursor.match, is_match = true;
      return true;
    }
    const uint8_t* const from = cursor.from;
    if (!find(stage, cursor)) cursor.from = cursor.end;
    if (from < cursor.match.from && stage.does.keeps != Stage::Keeps::kMatches) {
      span = {from, cursor.match.from}, is_match = false;
      return true;
    }
    if (cursor.done) return false;
  }
}

// The same where matches, none of them empty, become one span with the text before or after them, or with each other.
bool SequenceSplitter::take_joined(const Stage& stage, Cursor& cursor, Match& span) {
  if (cursor.from == cursor.end) return false;
  const uint8_t* const from = cursor.from;
  if (!cursor.has_match) find(stage, cursor);  // the first match from here on
  const uint8_t* to = cursor.match.from;       // the text before it, or
  if (stage.does.joins == Stage::Joins::kTextBefore) {
    to = cursor.match.to;  // the match, with that text
    cursor.has_match = false;
  } else if (from == to) {
    to = cursor.match.to;  // the match, with what follows it
    find(stage, cursor);
    if (stage.does.joins == Stage::Joins::kTextAfter) to = cursor.match.from;
    else
      for (; cursor.has_match && cursor.match.from == to; find(stage, cursor)) to = cursor.match.to;
  }
  span = {from, to};
  cursor.from = to;
  return true;
}

size_t SequenceSplitter::next(size_t most, const uint8_t** starts, const uint8_t** ends) {
  if (stream_) return stream_->next(most, keeps_all_ ? nullptr : starts, ends);
  size_t n = 0;
  Match span{nullptr, nullptr};
  while (n < most) {
    const Stage& stage = stages_[level_];
    bool is_match = false;
    if (!take(stage, cursor(level_), span, is_match)) {
      if (level_ == 0) return n;
      --level_;
    } else if (level_ + 1 == stages_.size() || (is_match && stage.does.finishes)) {
      starts[n] = span.from;
      ends[n++] = span.to;
    } else {
      cursor(++level_) = Cursor(span.from, span.to);
    }
  }
  return n;
}

}  // namespace bpe::compiled
