#include "splitting/compiled/determinizer.hpp"

namespace bpe::compiled {

using Op = Instruction::Op;

// Whether the set of an instruction holds a class, or the edge, as its part of the program sees it.
bool Determinizer::holds(const Instruction& one, uint32_t number) const {
  if (number == classes_.edge() || classes_.part(number) == one.part || classes_.num_parts() == 1)
    return classes_.holds(one.set, number);
  return one.op != Op::kSet && classes_.holds(one.set, classes_.edge());
}

// Numbers what look-behind can tell: classes, and the edge, that the same sets hold.
void Determinizer::distinguish_before() {
  std::map<std::vector<bool>, uint32_t> known;
  for (uint32_t number = 0; number <= classes_.edge(); ++number) {
    std::vector<bool> holders;
    for (const Instruction& one : program_.instructions)
      if (one.op == Op::kBefore) holders.push_back(holds(one, number));
    const auto [found, is_new] = known.emplace(holders, static_cast<uint32_t>(known.size()));
    if (is_new) class_of_what_is_before_.push_back(number);
    automaton_.before_.push_back(found->second);
  }
}

uint32_t Determinizer::row_of(const State& state) {
  constexpr size_t kMostStates = 4000, kMostTransitions = 1 << 20;
  if (state.size() == 1) return 0;
  const auto next = static_cast<uint32_t>((states_.size() + 1) * automaton_.stride_);
  const auto [found, is_new] = rows_.emplace(state, next);
  if (is_new) {
    states_.push_back(state);
    if (states_.size() > kMostStates || next > kMostTransitions) throw Unsupported("more than 4,000 states");
  }
  return found->second;
}

// Follows the threads of a state as far as they take no character, before one of class `after`. Sets takers_; tells
// the match that ends here, which cuts off the threads after it, as in a transition.
uint32_t Determinizer::follow(const State& state, uint32_t after) {
  const uint32_t before = class_of_what_is_before_[state[0] >> 1];
  const bool advances = state[0] & 1;
  takers_.clear();
  waiting_.assign(state.rbegin(), state.rend() - 1);
  ++searches_;
  while (!waiting_.empty()) {
    const uint32_t at = waiting_.back();
    waiting_.pop_back();
    if (seen_[at] == searches_) continue;
    seen_[at] = searches_;
    ++work_;
    const Instruction& one = program_.instructions[at];
    switch (one.op) {
      case Op::kMatch:
        if (!advances) return Automaton::kMatch | (at == Program::kDropped ? Automaton::kDrop : 0);
        break;
      case Op::kSet: takers_.push_back(at); break;
      case Op::kBefore:
        if (holds(one, before)) waiting_.push_back(one.next);
        break;
      case Op::kAfter:
        if (holds(one, after)) waiting_.push_back(one.next);
        break;
      case Op::kSplit:
        waiting_.push_back(one.other);
        waiting_.push_back(one.next);
        break;
    }
  }
  return 0;
}

uint32_t Determinizer::transition(const State& state, uint32_t number) {
  const uint32_t match = follow(state, number);
  State next{automaton_.before_[number] << 1};
  ++searches_;
  for (const uint32_t at : takers_) {
    const Instruction& one = program_.instructions[at];
    if (number == classes_.edge() || !holds(one, number) || seen_[one.next] == searches_) continue;
    seen_[one.next] = searches_;
    next.push_back(one.next);
  }
  return row_of(next) | match;
}

void Determinizer::run() {
  constexpr uint64_t kMostWork = 20'000'000;
  distinguish_before();
  automaton_.transitions_.assign(automaton_.stride_, 0);
  const auto kinds = static_cast<uint32_t>(class_of_what_is_before_.size());
  for (uint32_t advance = 0; advance < 2; ++advance)
    for (uint32_t before = 0; before < kinds; ++before)
      automaton_.starts_[advance].push_back(row_of({before << 1 | advance, program_.start}));
  for (size_t i = 0; i < states_.size(); ++i) {
    const State state = states_[i];
    for (uint32_t number = 0; number <= classes_.edge(); ++number)
      automaton_.transitions_.push_back(transition(state, number));
    if (work_ > kMostWork) throw Unsupported("too much work to prepare");
  }
}

}  // namespace bpe::compiled
