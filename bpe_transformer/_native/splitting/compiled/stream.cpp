#include "splitting/compiled/stream.hpp"

#include <algorithm>
#include <utility>

#include "text/unicode.hpp"

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
  if (to & Automaton::kMatch) {
    state.waiting.clear();
    state.has_match = true;
    state.drops = to & Automaton::kDrop;
  }
  if (to & Automaton::kState) {
    state.state = to & Automaton::kState;
    state.waiting.push_back(number);
    return state.waiting.size() <= kMostWaiting;
  }
  if (!state.has_match) return false;
  std::vector<uint32_t> again = std::move(state.waiting);
  if (back + again.size() > kMostWaiting) return false;
  ends |= (state.drops ? kEnd | kDrop : kEnd) >> (back + again.size());
  state = {automaton.starts_[0][0], {}};
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

void Stream::prepare(const Automaton& automaton, const Automaton& skipping) {
  constexpr size_t kMost = 1 << 18;  // transitions
  if (automaton.looks_back() || automaton.may_be_empty()) return;
  if (skipping.classes().size() != automaton.classes().size()) return;
  skips_ = &skipping != &automaton;
  stride_ = automaton.classes().size();
  row_of({skipping.starts_[0][0], {}});
  for (size_t i = 0; i < states_.size() && table_.size() < kMost; ++i) {
    const State state = states_[i];
    for (uint32_t number = 0; number < stride_; ++number) table_.push_back(transition(skipping, state, number));
  }
  if (table_.size() < states_.size() * stride_) table_.clear();
  rows_.clear();
  states_.clear();
  for (uint32_t before = 0; before < stride_; ++before)
    for (uint32_t after = 0; after < stride_; ++after)
      cuts_.push_back(automaton.is_independent(before, after) && (skips_ || automaton.begins_match(after)));
}

// --- a text ----------------------------------------------------------------------------------------------------------

// The start of the character that ends at p, in a text from `from` on.
const uint8_t* StreamSplitter::one_back(const uint8_t* from, const uint8_t* p) const {
  const uint8_t* start = p - 1;
  if (automaton_.classes().of_names()) return start;
  while (start > from && p - start < 4 && unicode::continues(*start)) --start;
  return static_cast<size_t>(p - start) == unicode::decode(start, p).length ? start : p - 1;
}

// Finds the end of the pre-token that begins at chain.from: a match, or the text before the next one, or before
// characters that other parts of the program see.
template <bool kGaps>
[[gnu::noinline]] void StreamSplitter::search(Chain<kGaps>& chain) const {
  const uint8_t* const from = chain.start();
  chain.state = 0;
  Match& found = chain.found;
  if (!found.to || found.from < from) {
    found = {end_, end_, false};
    automaton_.find(from, from, end_, false, found);
  }
  if (found.from == from) {
    chain.end(found.to, found.drops);
  } else {
    const Classes& classes = automaton_.classes();
    const uint8_t* to = found.from;
    if (classes.num_parts() > 1) {
      size_t length = 0;
      const uint32_t part = classes.part(classes.at(from, end_, length));
      const uint8_t* p = from + length;
      while (p < to && classes.part(classes.at(p, end_, length)) == part) p += length;
      to = p;
    }
    chain.end(to, stream_.skips_);
  }
  chain.at = chain.start();
}

// What hardly ever happens in a step.
template <bool kGaps>
[[gnu::noinline]] void StreamSplitter::rare(Chain<kGaps>& chain, uint32_t to) const {
  const uint8_t* const one = one_back(chain.start(), chain.at);
  if (to & Stream::kEndTwoBack) chain.end(one_back(chain.start(), one), to & Stream::kDrop >> 2);
  if (to & Stream::kEndOneBack) chain.end(one, to & Stream::kDrop >> 1);
}

// Takes the next character; whether it had to search instead, which may go on far behind that.
template <bool kGaps>
[[gnu::always_inline]] inline bool StreamSplitter::step(Chain<kGaps>& chain, const uint32_t* table,
                                                        const Classes& classes) const {
  size_t length = 0;
  const uint32_t to = table[chain.state + classes.at(chain.at, end_, length)];
  if (to & (Stream::kEndTwoBack | Stream::kEndOneBack | Stream::kSearch)) [[unlikely]] {
    Chain<kGaps> copy = chain;  // so that the chain itself may stay in registers
    if (to & Stream::kSearch) search(copy);
    else rare(copy, to);
    chain = copy;
    if (to & Stream::kSearch) return true;
  }
  chain.ends[chain.n] = chain.at;
  if constexpr (kGaps) {
    chain.starts[chain.n] = chain.from;
    chain.n += (to & (Stream::kEnd | Stream::kDrop)) == Stream::kEnd;
    chain.from = to & Stream::kEnd ? chain.at : chain.from;
  } else {
    chain.n += to >> 31;
  }
  chain.state = to & Stream::kState;
  chain.at += length;
  return false;
}

// The first place after p where the text can be cut; null if there is none nearby.
const uint8_t* StreamSplitter::find_cut(const uint8_t* p) const {
  const Classes& classes = automaton_.classes();
  const uint8_t* const last = p + kLookForCut - 8;
  while (p < last && unicode::continues(*p)) ++p;
  size_t length = 0;
  uint32_t before = classes.at(p, end_, length);
  for (p += length; p < last; p += length) {
    const uint32_t after = classes.at(p, end_, length);
    if (stream_.cuts_[before * stream_.stride_ + after]) return p;
    before = after;
  }
  return nullptr;
}

// Splits the next part of the text at several places at once; false if it is too short, or cannot be cut.
template <bool kGaps>
bool StreamSplitter::split_at_once() {
  constexpr size_t kLeast = kChains * kLookForCut * 2;
  const size_t size = std::min<size_t>(static_cast<size_t>(end_ - at_), kChains * kSegment);
  if (size < kLeast) return false;
  std::array<const uint8_t*, kChains - 1> cuts;
  for (size_t i = 0; i < cuts.size(); ++i)
    if (cuts[i] = find_cut(at_ + (i + 1) * (size / kChains)); !cuts[i]) return false;
  if (!buffers_) buffers_ = std::make_unique_for_overwrite<std::array<Buffer, kChains>>();
  const auto chain = [&](size_t i) {
    const uint8_t* const begin = i ? cuts[i - 1] : at_;
    // a chain also takes the first character after its part, which ends the last pre-token in it
    return Chain<kGaps>{
        i ? begin : from_,  begin, i + 1 < kChains ? cuts[i] + 1 : at_ + size, i ? 0 : state_, (*buffers_)[i].starts,
        (*buffers_)[i].ends};
  };
  const uint32_t* const table = stream_.table_.data();
  const Classes& classes = automaton_.classes();
  const auto step = [&](Chain<kGaps>& one) { return this->step(one, table, classes); };
  Chain<kGaps> a = chain(0), b = chain(1), c = chain(2), d = chain(3);
  constexpr ptrdiff_t kMostBytes = 4;  // of a character
  for (;;) {                           // as many steps as none of them has to look for its end
    ptrdiff_t left = std::min({a.stop - a.at, b.stop - b.at, c.stop - c.at, d.stop - d.at}) / kMostBytes;
    if (left < 4) break;
    for (bool searched = false; left-- > 0 && !searched;) {
      searched = step(a);
      searched |= step(b);
      searched |= step(c);
      searched |= step(d);
    }
  }
  while (a.at < a.stop) step(a);
  while (b.at < b.stop) step(b);
  while (c.at < c.stop) step(c);
  while (d.at < d.stop) step(d);
  from_ = d.start(), at_ = d.at, state_ = d.state;
  count_ = {a.n, b.n, c.n, d.n};
  chain_ = taken_ = 0;
  return true;
}

template <bool kGaps>
size_t StreamSplitter::split_rest(size_t most, const uint8_t** starts, const uint8_t** ends) {
  Chain<kGaps> chain{from_, at_, end_, state_, starts, ends};
  while (chain.n + 3 < most && chain.start() < end_) {
    if (chain.at < end_) step(chain, stream_.table_.data(), automaton_.classes());
    else search(chain);
  }
  from_ = chain.start(), at_ = chain.at, state_ = chain.state;
  return chain.n;
}

// Gives what is in the buffers.
size_t StreamSplitter::take(size_t most, const uint8_t** starts, const uint8_t** ends) {
  size_t n = 0;
  while (chain_ < kChains && n < most) {
    const size_t some = std::min(most - n, count_[chain_] - taken_);
    const Buffer& buffer = (*buffers_)[chain_];
    std::copy_n(buffer.ends + taken_, some, ends + n);
    if (starts) std::copy_n(buffer.starts + taken_, some, starts + n);
    n += some, taken_ += some;
    if (taken_ == count_[chain_]) ++chain_, taken_ = 0;
  }
  return n;
}

size_t StreamSplitter::next(size_t most, const uint8_t** starts, const uint8_t** ends) {
  for (;;) {
    if (const size_t n = take(most, starts, ends)) return n;
    if (starts ? split_at_once<true>() : split_at_once<false>()) continue;
    return starts ? split_rest<true>(most, starts, ends) : split_rest<false>(most, starts, ends);
  }
}

}  // namespace bpe::compiled
