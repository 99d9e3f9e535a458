#include "splitting/compiled/stream.hpp"

#include <utility>

namespace bpe::compiled {

uint32_t Stream::row_of(const State& state) {
  const auto [found, is_new] = rows_.emplace(state, static_cast<uint32_t>(states_.size() * stride_));
  if (is_new) states_.push_back(state);
  return found->second;
}

// Takes one more character, `back` characters before the one that is being looked at. Notes the ends of pre-tokens in
// `ends`; false if the automaton has to search.
bool Stream::step(const Automaton& automaton, State& state, uint32_t number, size_t back, uint32_t& ends) const {
  const uint32_t to = automaton.transitions_[state.state + number];
  if (to & Automaton::kMatch) state.waiting.clear(), state.has_match = true;
  if (to & Automaton::kState) {
    state.state = to & Automaton::kState;
    state.waiting.push_back(number);
    return state.waiting.size() <= kMostWaiting;
  }
  if (!state.has_match) return false;
  std::vector<uint32_t> again = std::move(state.waiting);
  if (back + again.size() > kMostWaiting) return false;
  ends |= kEnd >> (back + again.size());
  state = {automaton.starts_[0][0], {}, false};
  again.push_back(number);
  for (size_t i = 0; i < again.size(); ++i)
    if (!step(automaton, state, again[i], back + again.size() - 1 - i, ends)) return false;
  return true;
}

uint32_t Stream::transition(const Automaton& automaton, const State& from, uint32_t number) {
  State state = from;
  uint32_t ends = 0;
  if (!step(automaton, state, number, 0, ends)) return kSearch;
  return row_of(state) | ends;
}

void Stream::prepare(const Automaton& automaton) {
  constexpr size_t kMost = 1 << 18;  // transitions
  if (automaton.looks_back() || automaton.may_be_empty()) return;
  stride_ = automaton.classes().size();
  row_of({automaton.starts_[0][0], {}, false});
  for (size_t i = 0; i < states_.size() && table_.size() < kMost; ++i) {
    const State state = states_[i];
    for (uint32_t number = 0; number < stride_; ++number) table_.push_back(transition(automaton, state, number));
  }
  if (table_.size() < states_.size() * stride_) table_.clear();
  rows_.clear();
  states_.clear();
}

// The end of the pre-token that begins at `from`: a match, or the text before the next one, or before characters that
// other parts of the program see. `found` keeps the match for the next search.
const uint8_t* Stream::search(const Automaton& automaton, const uint8_t* from, const uint8_t* end, Match& found) const {
  if (!found.to || found.from < from) {
    found = {end, end};
    automaton.find(from, from, end, false, found);
  }
  if (found.from == from) return found.to;
  const Classes& classes = automaton.classes();
  if (classes.num_parts() == 1) return found.from;
  size_t length = 0;
  const uint32_t part = classes.part(classes.at(from, end, length));
  const uint8_t* p = from + length;
  while (p < found.from && classes.part(classes.at(p, end, length)) == part) p += length;
  return p;
}

size_t Stream::next(const Automaton& automaton, const uint8_t* end, size_t most, const uint8_t** ends,
                    Place& place) const {
  const Classes& classes = automaton.classes();
  const uint32_t* const table = table_.data();
  const uint8_t *p = place.at, *one_back = place.one_back, *two_back = place.two_back;
  uint32_t state = place.state;
  size_t n = 0;
  while (n + 3 < most) {
    uint32_t to = kSearch;
    size_t length = 0;
    if (p < end) [[likely]]
      to = table[state + classes.at(p, end, length)];
    if (to & (kEndTwoBack | kEndOneBack | kSearch)) [[unlikely]] {
      if (to & kSearch) {
        const uint8_t* const from = n ? ends[n - 1] : place.from;
        if (from == end) break;
        p = one_back = two_back = ends[n++] = search(automaton, from, end, place.found);
        state = 0;
        continue;
      }
      if (to & kEndTwoBack) ends[n++] = two_back;
      if (to & kEndOneBack) ends[n++] = one_back;
    }
    ends[n] = p;
    n += to >> 31;
    state = to & kState;
    two_back = one_back;
    one_back = p;
    p += length;
  }
  if (n) place.from = ends[n - 1];
  place.at = p, place.one_back = one_back, place.two_back = two_back, place.state = state;
  return n;
}

}  // namespace bpe::compiled
