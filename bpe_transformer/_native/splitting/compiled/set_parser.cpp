#include "splitting/compiled/set_parser.hpp"

#include "text/unicode.hpp"

namespace bpe::compiled {

Reader::Reader(std::string_view utf8) {
  const auto* p = reinterpret_cast<const uint8_t*>(utf8.data());
  for (const uint8_t* const end = p + utf8.size(); p < end;) {
    const unicode::Symbol symbol = unicode::decode(p, end);
    if (symbol.code_point == unicode::kInvalid) throw Unsupported("a character that is not UTF-8");
    code_points_.push_back(symbol.code_point);
    p += symbol.length;
  }
}

bool Reader::sees(std::string_view ascii) const {
  for (size_t i = 0; i < ascii.size(); ++i)
    if (at_ + i >= code_points_.size() || code_points_[at_ + i] != static_cast<uint8_t>(ascii[i])) return false;
  return true;
}

bool Reader::take(std::string_view ascii) {
  if (!sees(ascii)) return false;
  at_ += ascii.size();
  return true;
}

uint32_t Reader::next() {
  if (done()) throw Unsupported("an end where more is expected");
  return code_points_[at_++];
}

std::string Reader::up_to(char end) {
  std::string text;
  for (uint32_t c; (c = next()) != static_cast<uint8_t>(end);) {
    if (c >= 0x80) throw Unsupported("a name with letters that are not ASCII");
    text += static_cast<char>(c);
  }
  return text;
}

namespace {

CodePoints literal(uint32_t code_point, const Flags& flags) {
  const CodePoints one(code_point, code_point);
  return flags.ignore_case ? one.ignoring_case() : one;
}

uint32_t hexadecimal(Reader& reader, int digits) {
  uint32_t value = 0;
  for (int i = 0; i < digits; ++i) {
    const uint32_t c = reader.next();
    const uint32_t lower = c | 0x20;
    if (c >= '0' && c <= '9') value = value << 4 | (c - '0');
    else if (lower >= 'a' && lower <= 'f') value = value << 4 | (lower - 'a' + 10);
    else throw Unsupported("a hexadecimal escape that is too short");
  }
  if (value > CodePoints::kLast) throw Unsupported("a code point past U+10FFFF");
  return value;
}

CodePoints category(std::string_view name) { return CodePoints::named(name).value_or(CodePoints()); }

// After \p or \P.
CodePoints property(Reader& reader, bool negated, const Flags& flags) {
  std::string name;
  if (reader.take("{")) name = reader.up_to('}');
  else name = static_cast<char>(reader.next() & 0x7F);
  if (name.starts_with('^')) name.erase(0, 1), negated = !negated;
  std::optional<CodePoints> found;
  const size_t equals = name.find('=');
  if (equals == std::string::npos) {
    found = CodePoints::named(name);
  } else {
    const std::string key = name.substr(0, equals), value = name.substr(equals + 1);
    if (key == "Script" || key == "script" || key == "sc") found = CodePoints::script(value);
    else if (key == "gc" || key == "General_Category") found = CodePoints::named(value);
  }
  if (!found) throw Unsupported("the property \\p{" + name + "}, which the tables do not hold");
  if (flags.ignore_case) {  // letters of one case stand for all that have case
    const CodePoints upper = category("Lu"), lower = category("Ll"), title = category("Lt");
    if (*found == upper || *found == lower || *found == title) found = upper | lower | title;
  }
  return negated ? ~*found : *found;
}

// The character of an escape that stands for one, if it does.
std::optional<uint32_t> escaped_character(Reader& reader, bool in_class) {
  const uint32_t c = reader.peek();
  const bool is_letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z', is_digit = c >= '0' && c <= '9';
  if (c >= 0x80 || (!is_letter && !is_digit && !reader.done())) return reader.next();
  constexpr std::pair<char, uint32_t> kControls[] = {{'n', '\n'}, {'r', '\r'}, {'t', '\t'},
                                                     {'f', '\f'}, {'v', '\v'}, {'a', '\a'}};
  for (const auto& [letter, control] : kControls)
    if (c == static_cast<uint8_t>(letter)) return reader.next(), control;
  if (in_class && c == 'b') return reader.next(), uint32_t{'\b'};
  if (c == '0' && !(reader.peek(1) >= '0' && reader.peek(1) <= '9')) return reader.next(), 0u;
  if (reader.take("x")) {
    if (reader.sees("{")) throw Unsupported("the escape \\x{");
    return hexadecimal(reader, 2);
  }
  if (reader.take("u")) return hexadecimal(reader, 4);
  if (reader.take("U")) return hexadecimal(reader, 8);
  return std::nullopt;
}

}  // namespace

std::optional<CodePoints> parse_escape(Reader& reader, bool in_class, const Flags& flags) {
  if (reader.take("s")) return CodePoints::space();
  if (reader.take("S")) return ~CodePoints::space();
  if (reader.take("d")) return CodePoints::digit();
  if (reader.take("D")) return ~CodePoints::digit();
  if (reader.take("w")) return CodePoints::word();
  if (reader.take("W")) return ~CodePoints::word();
  if (reader.take("p")) return property(reader, false, flags);
  if (reader.take("P")) return property(reader, true, flags);
  if (const std::optional<uint32_t> character = escaped_character(reader, in_class)) return literal(*character, flags);
  return std::nullopt;
}

namespace {

// A class as it is read: unions of items, joined by &&.
class ClassParser {
 public:
  ClassParser(Reader& reader, bool has_nested_sets, const Flags& flags)
      : reader_(reader), has_nested_sets_(has_nested_sets), flags_(flags) {}

  CodePoints parse() {
    if (++depth_ > kMaxDepth) throw Unsupported("classes in classes in classes");
    const bool negated = reader_.take("^");
    std::optional<CodePoints> joined;
    std::vector<CodePoints::Range> items;
    for (bool first = true; first || !reader_.sees("]"); first = false) {
      if (has_nested_sets_ && reader_.take("&&")) {
        const CodePoints before(std::move(items));
        joined = joined ? *joined & before : before;
        items = {};
        continue;
      }
      const CodePoints one = item();
      items.insert(items.end(), one.ranges().begin(), one.ranges().end());
    }
    reader_.next();
    --depth_;
    const CodePoints last(std::move(items));
    const CodePoints all = joined ? *joined & last : last;
    return negated ? ~all : all;
  }

 private:
  static constexpr int kMaxDepth = 50;

  CodePoints item() {
    for (const char* const operation : {"--", "||", "~~"})
      if (has_nested_sets_ && reader_.sees(operation))
        throw Unsupported(std::string("the operation ") + operation + " on classes");
    if (reader_.sees("[:")) throw Unsupported("a POSIX class such as [:alpha:]");
    if (has_nested_sets_ && reader_.take("[")) return parse();
    std::optional<uint32_t> low;
    CodePoints alone = one(low);
    if (!low || !reader_.sees("-") || reader_.peek(1) == ']') return alone;
    if (has_nested_sets_ && (reader_.sees("--") || reader_.sees("-["))) return alone;
    reader_.next();
    std::optional<uint32_t> high;
    one(high);
    if (!high || *high < *low) throw Unsupported("a range that ends in a class of characters, or before it begins");
    const CodePoints range(*low, *high);
    return flags_.ignore_case ? range.ignoring_case() : range;
  }

  // One character, whose code point is `character`, or an escape for several.
  CodePoints one(std::optional<uint32_t>& character) {
    if (!reader_.take("\\")) {
      character = reader_.next();
      return literal(*character, flags_);
    }
    const bool is_property = reader_.sees("p") || reader_.sees("P");
    const auto found = parse_escape(reader_, true, is_property ? flags_ : Flags{});
    if (!found) throw Unsupported("an escape in a class");
    if (is_property) return *found;
    const auto& ranges = found->ranges();
    if (ranges.size() == 1 && ranges[0].first == ranges[0].last) {
      character = ranges[0].first;
      return literal(*character, flags_);
    }
    return *found;
  }

  Reader& reader_;
  const bool has_nested_sets_;
  const Flags flags_;
  int depth_ = 0;
};

}  // namespace

CodePoints parse_class(Reader& reader, bool has_nested_sets, const Flags& flags) {
  return ClassParser(reader, has_nested_sets, flags).parse();
}

}  // namespace bpe::compiled
