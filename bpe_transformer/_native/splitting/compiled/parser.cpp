#include <algorithm>
#include <iterator>

#include "splitting/compiled/set_parser.hpp"
#include "splitting/compiled/syntax.hpp"

namespace bpe::compiled {

bool Node::may_be_empty() const {
  const auto empty = [](const Node& child) { return child.may_be_empty(); };
  switch (kind) {
    case Kind::kSet: return false;
    case Kind::kConcat: return std::all_of(children.begin(), children.end(), empty);
    case Kind::kAlternate: return std::any_of(children.begin(), children.end(), empty);
    case Kind::kRepeat: return least == 0 || children[0].may_be_empty();
    default: return true;
  }
}

namespace {

Node concat(std::vector<Node> children) {
  if (children.size() == 1) return std::move(children[0]);
  Node node;
  node.kind = children.empty() ? Node::Kind::kEmpty : Node::Kind::kConcat;
  node.children = std::move(children);
  return node;
}

Node alternate(std::vector<Node> children) {
  if (children.size() == 1) return std::move(children[0]);
  if (std::all_of(children.begin(), children.end(), [](const Node& child) { return child.is_set(); })) {
    std::vector<CodePoints::Range> all;
    for (const Node& child : children)
      all.insert(all.end(), child.set.code_points.ranges().begin(), child.set.code_points.ranges().end());
    return Node::of_set(CodePoints(std::move(all)));
  }
  Node node;
  node.kind = Node::Kind::kAlternate;
  node.children = std::move(children);
  return node;
}

Node repeat(Node child, uint32_t least, uint32_t most, bool is_greedy) {
  Node node;
  node.kind = Node::Kind::kRepeat;
  node.children.push_back(std::move(child));
  node.least = least, node.most = most, node.is_greedy = is_greedy;
  return node;
}

Node look(Node::Kind kind, Neighbours neighbours) {
  Node node;
  node.kind = kind;
  node.set = std::move(neighbours);
  return node;
}

// What stands where a look-around's body matches, if one character decides that. Ahead, what follows the first
// character may be anything if it may be empty.
Neighbours neighbours_of(const Node& body, bool ahead) {
  const auto fail = [] { return Unsupported("look-around of more than one character"); };
  switch (body.kind) {
    case Node::Kind::kSet: return body.set;
    case Node::Kind::kBefore:
      if (ahead) throw fail();
      return body.set;
    case Node::Kind::kAfter:
      if (!ahead) throw fail();
      return body.set;
    case Node::Kind::kAlternate: {
      Neighbours all;
      for (const Node& child : body.children) all = all | neighbours_of(child, ahead);
      return all;
    }
    case Node::Kind::kRepeat:
      if (body.least == 1) return neighbours_of(body.children[0], ahead);
      throw fail();
    default: throw fail();
  }
}

// A repetition of a set that gives nothing back: what follows it is not in the set, unless it has taken the most.
Node possessive(const Node& child, uint32_t least, uint32_t most) {
  if (least == 1 && most == 1) return child;
  if (!child.is_set()) throw Unsupported("a possessive quantifier, or an atomic group, of more than one character");
  Node end = look(Node::Kind::kAfter, ~child.set);
  if (most == Node::kUnbounded) {
    std::vector<Node> both;
    both.push_back(repeat(child, least, most, true));
    both.push_back(std::move(end));
    return concat(std::move(both));
  }
  std::vector<Node> ways;
  ways.push_back(repeat(child, most, most, true));
  if (least < most) {
    std::vector<Node> both;
    both.push_back(repeat(child, least, most - 1, true));
    both.push_back(std::move(end));
    ways.push_back(concat(std::move(both)));
  }
  return alternate(std::move(ways));
}

class Parser {
 public:
  Parser(std::string_view expression, bool has_nested_sets) : reader_(expression), has_nested_sets_(has_nested_sets) {}

  Node parse() {
    Node node = alternation();
    if (!reader_.done()) throw Unsupported("a closing parenthesis without an opening one");
    return node;
  }

 private:
  static constexpr int kMaxDepth = 200;

  Node alternation() {
    if (++depth_ > kMaxDepth) throw Unsupported("too many groups inside each other");
    std::vector<Node> ways;
    do ways.push_back(sequence());
    while (reader_.take("|"));
    --depth_;
    return alternate(std::move(ways));
  }

  Node sequence() {
    std::vector<Node> nodes;
    while (!reader_.done() && !reader_.sees("|") && !reader_.sees(")")) {
      Node node = quantified();
      if (node.kind == Node::Kind::kEmpty) continue;
      if (node.is_set() && !nodes.empty() && nodes.back().kind == Node::Kind::kAfter && !mixes_ends(nodes.back())) {
        node.set.code_points = node.set.code_points & nodes.back().set.code_points;
        node.set = Neighbours::of(std::move(node.set.code_points));
        nodes.pop_back();
      }
      nodes.push_back(std::move(node));
    }
    return concat(std::move(nodes));
  }

  // Whether a look ahead tells a newline at the end of the text from others.
  static bool mixes_ends(const Node& node) { return node.set.final_newline != node.set.code_points.contains('\n'); }

  Node quantified() {
    Node node = atom();
    uint32_t least = 0, most = 0;
    if (!quantifier(least, most)) return node;
    if (most > kMaxRepeats && most != Node::kUnbounded) throw Unsupported("a repetition of more than 1,000 times");
    if (least > kMaxRepeats) throw Unsupported("a repetition of more than 1,000 times");
    if (node.kind == Node::Kind::kBefore || node.kind == Node::Kind::kAfter || node.kind == Node::Kind::kEmpty)
      throw Unsupported("a quantifier of nothing");
    if (most > 1 && node.may_be_empty()) throw Unsupported("a repetition of what may be empty");
    Node whole;
    if (reader_.take("+")) whole = possessive(node, least, most);
    else if (reader_.take("?")) whole = repeat(std::move(node), least, most, false);
    else whole = repeat(std::move(node), least, most, true);
    if (quantifier(least, most)) throw Unsupported("two quantifiers in a row");
    return whole;
  }

  // Reads a quantifier, if one comes next.
  bool quantifier(uint32_t& least, uint32_t& most) {
    if (reader_.take("*")) return least = 0, most = Node::kUnbounded, true;
    if (reader_.take("+")) return least = 1, most = Node::kUnbounded, true;
    if (reader_.take("?")) return least = 0, most = 1, true;
    if (!reader_.take("{")) return false;
    const bool has_least = number(least);
    if (!has_least) least = 0;
    if (reader_.take(",")) {
      const bool has_most = number(most);
      if (!has_most) most = Node::kUnbounded;
      if (!has_least && !has_most) throw Unsupported("an opening brace that begins no quantifier");
    } else {
      if (!has_least) throw Unsupported("an opening brace that begins no quantifier");
      most = least;
    }
    if (!reader_.take("}") || most < least || most == 0)
      throw Unsupported("an opening brace that begins no quantifier");
    return true;
  }

  bool number(uint32_t& value) {
    bool any = false;
    for (value = 0; reader_.peek() >= '0' && reader_.peek() <= '9'; any = true)
      value = std::min<uint32_t>(value * 10 + (reader_.next() - '0'), kMaxRepeats + 1);
    return any;
  }

  Node atom() {
    if (reader_.take("(")) return group();
    if (reader_.take("[")) return Node::of_set(parse_class(reader_, has_nested_sets_, flags_));
    if (reader_.take("\\")) return escape();
    if (reader_.take(".")) return Node::of_set(flags_.dot_all ? CodePoints::all() : ~CodePoints('\n', '\n'));
    if (reader_.take("^")) return line_start();
    if (reader_.take("$")) {
      if (flags_.multi_line) return look(Node::Kind::kAfter, {CodePoints('\n', '\n'), true, true});
      return look(Node::Kind::kAfter, {{}, true, true});
    }
    const uint32_t c = reader_.next();
    if (c == '*' || c == '+' || c == '?' || c == '{') throw Unsupported("a quantifier of nothing");
    const CodePoints one(c, c);
    return Node::of_set(flags_.ignore_case ? one.ignoring_case() : one);
  }

  Node line_start() const {
    return look(Node::Kind::kBefore, {flags_.multi_line ? CodePoints('\n', '\n') : CodePoints(), true, false});
  }

  Node escape() {
    if (reader_.take("A")) return look(Node::Kind::kBefore, {{}, true, false});
    if (reader_.take("Z") || reader_.take("z")) return look(Node::Kind::kAfter, {{}, true, false});
    if (reader_.take("b")) return word_border(true);
    if (reader_.take("B")) return word_border(false);
    if (auto found = parse_escape(reader_, false, flags_)) return Node::of_set(std::move(*found));
    const uint32_t c = reader_.peek();
    throw Unsupported(std::string("the escape \\") + (c < 0x80 ? static_cast<char>(c) : '?'));
  }

  static Node word_border(bool wanted) {
    const Neighbours word = Neighbours::of(CodePoints::word());
    std::vector<Node> ways;
    for (const bool is_word : {false, true}) {
      std::vector<Node> both;
      both.push_back(look(Node::Kind::kBefore, is_word ? word : ~word));
      both.push_back(look(Node::Kind::kAfter, is_word == wanted ? ~word : word));
      ways.push_back(concat(std::move(both)));
    }
    return alternate(std::move(ways));
  }

  Node closed(Node node) {
    if (!reader_.take(")")) throw Unsupported("a group that does not end");
    return node;
  }

  Node looking(bool ahead, bool wanted) {
    const Neighbours found = neighbours_of(closed(alternation()), ahead);
    return look(ahead ? Node::Kind::kAfter : Node::Kind::kBefore, wanted ? found : ~found);
  }

  Node group() {
    if (!reader_.take("?")) return closed(alternation());
    if (reader_.take(":")) return closed(alternation());
    if (reader_.take("=")) return looking(true, true);
    if (reader_.take("!")) return looking(true, false);
    if (reader_.take("<=")) return looking(false, true);
    if (reader_.take("<!")) return looking(false, false);
    if (reader_.take(">")) return atomic();
    if (reader_.take("P<") || reader_.take("<")) {
      reader_.up_to('>');
      return closed(alternation());
    }
    return flagged();
  }

  // An atomic group: of one set, repeated greedily, as a possessive quantifier.
  Node atomic() {
    Node body = closed(alternation());
    if (body.is_set()) return body;
    if (body.kind != Node::Kind::kRepeat || !body.is_greedy || !body.children[0].is_set())
      throw Unsupported("a possessive quantifier, or an atomic group, of more than one character");
    return possessive(body.children[0], body.least, body.most);
  }

  // Flags, for a group or, at the start, for all.
  Node flagged() {
    const bool at_start = reader_.position() == 2;
    Flags flags = flags_;
    bool on = true;
    for (uint32_t c; (c = reader_.next()) != ':' && c != ')';) {
      if (c == '-') on = false;
      else if (c == 'i') flags.ignore_case = on;
      else if (c == 's') flags.dot_all = on;
      else if (c == 'm') flags.multi_line = on;
      else if (c != 'u') throw Unsupported("a group that begins with (?" + std::string(1, static_cast<char>(c & 0x7F)));
      if (flags.ignore_case && has_nested_sets_) throw Unsupported("case that is ignored beside sets inside classes");
      if (reader_.peek() != ')') continue;
      reader_.next();
      if (!at_start) throw Unsupported("flags that do not stand at the start");
      flags_ = flags;
      return {};
    }
    const Flags outer = flags_;
    flags_ = flags;
    Node body = closed(alternation());
    flags_ = outer;
    return body;
  }

  static constexpr uint32_t kMaxRepeats = 1000;

  Reader reader_;
  const bool has_nested_sets_;
  Flags flags_;
  int depth_ = 0;
};

}  // namespace

Node parse(std::string_view expression, bool has_nested_sets) { return Parser(expression, has_nested_sets).parse(); }

}  // namespace bpe::compiled
