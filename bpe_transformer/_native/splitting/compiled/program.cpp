#include "splitting/compiled/program.hpp"

namespace bpe::compiled {

using Op = Instruction::Op;

Program::Program(const std::vector<Part>& parts) {
  add(Op::kMatch, 0, 0, 0);  // kKept
  add(Op::kMatch, 0, 0, 0);  // kDropped
  std::vector<uint32_t> starts;
  for (const Part& part : parts) {
    part_ = static_cast<uint32_t>(starts.size());
    starts.push_back(compile(*part.pattern, part.drops ? kDropped : kKept));
    if (part.skips) {
      const uint32_t any = add(Op::kSet, set_number(Neighbours::of(CodePoints::all())), kDropped, 0);
      starts.back() = add(Op::kSplit, 0, starts.back(), any);
    }
    alphabets.push_back(part.alphabet);
    set_number(Neighbours::of(part.alphabet));  // so that its classes are apart from others
  }
  start = starts.back();
  for (size_t i = starts.size() - 1; i-- > 0;) start = add(Op::kSplit, 0, starts[i], start);
}

CodePoints Program::taken() const {
  CodePoints all;
  for (const Instruction& one : instructions)
    if (one.op == Op::kSet) all = all | sets[one.set].code_points;
  return all;
}

uint32_t Program::add(Op op, uint32_t set, uint32_t next, uint32_t other) {
  constexpr size_t kMost = 20'000;
  if (instructions.size() >= kMost) throw Unsupported("more than 20,000 steps");
  instructions.push_back({op, set, next, other, part_});
  return static_cast<uint32_t>(instructions.size() - 1);
}

uint32_t Program::set_number(const Neighbours& set) {
  for (size_t i = 0; i < sets.size(); ++i)
    if (sets[i].edge == set.edge && sets[i].final_newline == set.final_newline &&
        sets[i].code_points == set.code_points)
      return static_cast<uint32_t>(i);
  constexpr size_t kMost = 1000;
  if (sets.size() == kMost) throw Unsupported("more than 1,000 sets of characters");
  sets.push_back(set);
  return static_cast<uint32_t>(sets.size() - 1);
}

uint32_t Program::split(uint32_t body, uint32_t after, bool is_greedy) {
  return is_greedy ? add(Op::kSplit, 0, body, after) : add(Op::kSplit, 0, after, body);
}

// The first instruction of `node` followed by the instruction `next`.
uint32_t Program::compile(const Node& node, uint32_t next) {
  switch (node.kind) {
    case Node::Kind::kEmpty: return next;
    case Node::Kind::kSet: return add(Op::kSet, set_number(node.set), next, 0);
    case Node::Kind::kBefore: looks_back = true; return add(Op::kBefore, set_number(node.set), next, 0);
    case Node::Kind::kAfter:
      marks_final_newline |= node.set.final_newline != node.set.code_points.contains('\n');
      return add(Op::kAfter, set_number(node.set), next, 0);
    case Node::Kind::kConcat:
      for (size_t i = node.children.size(); i-- > 0;) next = compile(node.children[i], next);
      return next;
    case Node::Kind::kAlternate: {
      uint32_t ways = compile(node.children.back(), next);
      for (size_t i = node.children.size() - 1; i-- > 0;)
        ways = add(Op::kSplit, 0, compile(node.children[i], next), ways);
      return ways;
    }
    case Node::Kind::kRepeat: return compile_repeat(node, next);
  }
  return next;  // not reached
}

uint32_t Program::compile_repeat(const Node& node, uint32_t next) {
  const Node& child = node.children[0];
  uint32_t required = node.least;
  if (node.most == Node::kUnbounded) {
    const uint32_t loop = add(Op::kSplit, 0, 0, 0);
    const uint32_t body = compile(child, loop);
    instructions[loop].next = node.is_greedy ? body : next;
    instructions[loop].other = node.is_greedy ? next : body;
    next = required ? body : loop;
    if (required) --required;
  } else {
    const uint32_t after = next;
    for (uint32_t i = node.least; i < node.most; ++i) next = split(compile(child, next), after, node.is_greedy);
  }
  for (; required; --required) next = compile(child, next);
  return next;
}

}  // namespace bpe::compiled
