// Builds the table of an automaton from a program.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "splitting/compiled/automaton.hpp"

namespace bpe::compiled {

class Determinizer {
 public:
  Determinizer(const Program& program, Automaton& automaton)
      : program_(program), automaton_(automaton), classes_(automaton.classes_), seen_(program.instructions.size(), 0) {}

  // Throws Unsupported if there are too many states.
  void run();

 private:
  // What look-behind can tell, twice, plus one if an empty match does not count; then the threads, in order.
  using State = std::vector<uint32_t>;

  bool holds(const Instruction& one, uint32_t number) const;
  void distinguish_before();
  uint32_t row_of(const State& state);
  uint32_t follow(const State& state, uint32_t after);
  uint32_t transition(const State& state, uint32_t number);

  const Program& program_;
  Automaton& automaton_;
  const Classes& classes_;
  std::map<State, uint32_t> rows_;
  std::vector<State> states_;      // in the order of their rows, from the second on
  std::vector<uint32_t> takers_;   // the kSet instructions that `follow` has reached, in order
  std::vector<uint32_t> waiting_;  // the instructions that `follow` has to look at, the last first
  std::vector<uint32_t> seen_;     // by instruction: the number of the search that has reached it
  std::vector<uint32_t> class_of_what_is_before_;
  uint32_t searches_ = 0;
  uint64_t work_ = 0;
};

}  // namespace bpe::compiled
