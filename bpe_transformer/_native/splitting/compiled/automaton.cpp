#include "splitting/compiled/automaton.hpp"

#include <algorithm>
#include <set>

#include "base/interruption.hpp"
#include "splitting/compiled/determinizer.hpp"
#include "splitting/grammar.hpp"

namespace bpe::compiled {

Automaton::Automaton(const Program& program, bool of_names)
    : classes_(program, of_names), stride_(classes_.size() + 1), looks_back_(program.looks_back) {
  Determinizer(program, *this).run();
  mark_letters();
  find_beginnings();
  find_cuts();
}

// Finds the match that begins at p, in the state of a start; false if there is none.
bool Automaton::match_at(const uint8_t* p, const uint8_t* end, uint32_t state, Match& match) const {
  const uint32_t* const table = transitions_.data();
  const uint8_t *const from = p, *last = nullptr;
  uint32_t how = 0;
  const auto ends = [&](uint32_t to, const uint8_t* at) {
    last = to & kMatch ? at : last;
    how = to & kMatch ? to : how;
  };
  while (p < end && state) {
    size_t length = 0;
    const uint32_t to = table[state + classes_.at(p, end, length)];
    ends(to, p);
    state = to & kState;
    p += length;
    if (to & kLetters) {
      const uint8_t* const after = scan::ascii_letters(p, end);
      if (after > p) ends(table[state + classes_.of('a')], after - 1);
      p = after;
    }
  }
  if (state) ends(table[state + classes_.edge()], p);
  if (last) match = {from, last, (how & kDrop) != 0};
  return last != nullptr;
}

// The first place from p on where a match may begin, or the end.
const uint8_t* Automaton::next_begin(const uint8_t* p, const uint8_t* end) const {
  while (end - p >= 4 && !(may_begin_[p[0]] | may_begin_[p[1]] | may_begin_[p[2]] | may_begin_[p[3]])) p += 4;
  while (p < end && !may_begin_[*p]) ++p;
  return p;
}

bool Automaton::find(const uint8_t* begin, const uint8_t* at, const uint8_t* end, bool advance, Match& match) const {
  for (const uint8_t* p = at;; advance = false) {
    if (!may_be_empty_) p = next_begin(p, end);
    if (match_at(p, end, start_at(begin, p, advance), match)) return true;
    if (p == end) return false;
    pass_checkpoint();
    size_t length = 0;
    classes_.at(p, end, length);
    p += length;
  }
}

// Marks the transitions to states that ASCII letters do not leave.
void Automaton::mark_letters() {
  std::vector<bool> stays(transitions_.size(), false);
  for (size_t state = stride_; state < transitions_.size(); state += stride_) {
    const uint32_t over = transitions_[state + classes_.of('a')];
    bool same = (over & kState) == state;
    for (uint32_t letter = 'A'; letter <= 'z'; ++letter)
      if ((letter | 0x20) >= 'a' && (letter | 0x20) <= 'z') same &= transitions_[state + classes_.of(letter)] == over;
    stays[state] = same;
  }
  for (uint32_t& to : transitions_)
    if (stays[to & kState]) to |= kLetters;
}

void Automaton::find_beginnings() {
  std::vector<bool> begins(classes_.size() + 1, false);
  for (const auto& starts : starts_)
    for (const uint32_t start : starts)
      for (size_t number = 0; number <= classes_.size(); ++number) {
        const uint32_t to = transitions_[start + number];
        if (to) begins[number] = true;
        if (to & kMatch) may_be_empty_ = true;
      }
  if (classes_.of_names()) {
    for (unsigned byte = 0; byte < 256; ++byte) may_begin_[byte] = begins[classes_.of_byte(static_cast<uint8_t>(byte))];
    return;
  }
  for (uint32_t byte = 0; byte < 0x80; ++byte) may_begin_[byte] = begins[classes_.of(byte)];
  may_begin_['\n'] |= begins[classes_.final_newline()];
  bool invalid = false;
  for (uint32_t c = 0xDC80; c <= 0xDCFF; ++c) invalid |= begins[classes_.of(c)];
  for (uint32_t byte = 0x80; byte < 0x100; ++byte) may_begin_[byte] = invalid;
  const auto begin_with = [&](uint32_t first, uint32_t last, uint8_t lead) {
    for (uint32_t c = first; c <= std::min(last, CodePoints::kLast) && !may_begin_[lead]; ++c)
      may_begin_[lead] = begins[classes_.of(c)];
  };
  for (uint32_t lead = 0xC2; lead < 0xE0; ++lead)
    begin_with((lead & 0x1F) << 6, ((lead & 0x1F) << 6) + 0x3F, static_cast<uint8_t>(lead));
  for (uint32_t lead = 0xE0; lead < 0xF0; ++lead)
    begin_with((lead & 0x0F) << 12, ((lead & 0x0F) << 12) + 0xFFF, static_cast<uint8_t>(lead));
  for (uint32_t lead = 0xF0; lead < 0xF5; ++lead)
    begin_with((lead & 0x07) << 18, ((lead & 0x07) << 18) + 0x3FFFF, static_cast<uint8_t>(lead));
}

// Whether a state, before a character of class `after`, has only threads that end there, as they would at the end of
// the text.
bool Automaton::stays_apart(uint32_t state, uint32_t after) const {
  const uint32_t to = transitions_[state + after], at_end = transitions_[state + classes_.edge()];
  return !(to & kState) && (to & (kMatch | kDrop)) == (at_end & (kMatch | kDrop));
}

void Automaton::find_cuts() {
  constexpr size_t kMostWork = 4'000'000;
  const size_t classes = classes_.size();
  if (looks_back_ || may_be_empty_ || classes * classes * num_states() > kMostWork) return;
  independent_.assign(classes * classes, false);
  begins_match_.assign(classes, true);
  for (size_t before = 0; before < classes; ++before) {
    std::set<uint32_t> states;
    for (size_t row = 0; row < transitions_.size(); row += stride_) states.insert(transitions_[row + before] & kState);
    states.erase(0);
    if (before == classes_.newline() && classes_.final_newline() != before) continue;
    if (before == classes_.final_newline() && classes_.newline() != before) continue;
    for (size_t after = 0; after < classes; ++after)
      independent_[before * classes + after] = std::all_of(states.begin(), states.end(), [&](uint32_t state) {
        return stays_apart(state, static_cast<uint32_t>(after));
      });
  }
  for (size_t number = 0; number < classes; ++number) {
    const uint32_t state = transitions_[starts_[0][0] + number] & kState;
    for (size_t next = 0; next <= classes; ++next)
      if (!state || !(transitions_[state + next] & kMatch)) begins_match_[number] = false;
  }
}

bool Automaton::finds_nothing_in(const CodePoints& alphabet) const {
  std::set<uint32_t> numbers{classes_.edge()};
  for (const CodePoints::Range& range : alphabet.ranges())
    for (uint32_t c = range.first; c <= range.last; ++c) numbers.insert(classes_.of(c));
  std::set<uint32_t> seen{0};
  std::vector<uint32_t> waiting{starts_[0].begin(), starts_[0].end()};
  while (!waiting.empty()) {
    const uint32_t state = waiting.back();
    waiting.pop_back();
    if (!seen.insert(state).second) continue;
    for (const uint32_t number : numbers) {
      if (transitions_[state + number] & kMatch) return false;
      waiting.push_back(transitions_[state + number] & kState);
    }
  }
  return true;
}

}  // namespace bpe::compiled
