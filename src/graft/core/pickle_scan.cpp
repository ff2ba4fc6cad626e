#include "graft/core/pickle_scan.h"

#include <algorithm>
#include <array>
#include <limits>
#include <map>

#include "graft/core/names.h"
#include "graft/core/pickle_values.h"

namespace graft {
namespace {

using Kind = PickleValue::Kind;

constexpr std::size_t kMaxValues = 2'000'000;
constexpr std::size_t kMaxChildren = 4 * kMaxValues;
constexpr std::int64_t kMaxDepth = 100;
constexpr std::int64_t kMaxWalk = 20'000'000;
constexpr std::int64_t kMaxDimensions = 16;
/// A view may show more elements than its storage holds (an expanded one): this many are no attack.
constexpr std::int64_t kMaxExpanded = std::int64_t{1} << 24;

const std::map<std::string, std::int64_t>& element_sizes() {
  static const std::map<std::string, std::int64_t> sizes{
      {"torch FloatStorage", 4},    {"torch DoubleStorage", 8},       {"torch HalfStorage", 2},
      {"torch LongStorage", 8},     {"torch IntStorage", 4},          {"torch ShortStorage", 2},
      {"torch CharStorage", 1},     {"torch ByteStorage", 1},         {"torch BoolStorage", 1},
      {"torch BFloat16Storage", 2}, {"torch ComplexFloatStorage", 8}, {"torch ComplexDoubleStorage", 16}};
  return sizes;
}

/// Functions that LibTorch's unpickler knows and a network may need, besides _rebuild_tensor_v2.
constexpr std::array kFunctions{"collections OrderedDict",
                                "torch.jit._pickle build_intlist",
                                "torch.jit._pickle build_tensorlist",
                                "torch.jit._pickle build_doublelist",
                                "torch.jit._pickle build_boollist",
                                "torch.jit._pickle build_complexlist",
                                "torch.jit._pickle restore_type_tag",
                                "torch device",
                                "builtins complex"};

/// Thrown and caught in this file alone.
struct Refused {
  Refusal refusal;
};

[[noreturn]] void refuse(const std::string& found, Refusal::Kind kind = Refusal::Kind::kOperator) {
  throw Refused{{kind, found}};
}

/// What a pickle's instructions build, with LibTorch's rules where it has one and without its trust.
class PickleScan {
 public:
  PickleScan(std::string_view pickle,
             const std::function<std::optional<std::uint64_t>(const std::string&)>& storage_bytes)
      : pickle_(pickle), storage_bytes_(storage_bytes) {}

  void run() {
    while (step()) continue;
    const auto extent = measure_pickle(values_, pop());
    if (extent.circular) refuse("its data hold themselves");
    if (extent.depth > kMaxDepth) refuse("its data are nested " + std::to_string(extent.depth) + " deep");
    if (extent.walk > kMaxWalk) refuse("its data hold the same values too many times over");
  }

 private:
  std::string_view take(std::size_t length) {
    if (length > pickle_.size() - at_) refuse("its data end too early");
    const auto part = pickle_.substr(at_, length);
    at_ += length;
    return part;
  }
  std::uint64_t number(std::size_t bytes) {
    std::uint64_t value = 0;
    const auto part = take(bytes);
    for (std::size_t i = 0; i < bytes; ++i) value |= std::uint64_t{static_cast<unsigned char>(part[i])} << (8 * i);
    return value;
  }
  std::string line() {
    const auto end = pickle_.find('\n', at_);
    if (end == pickle_.npos || end - at_ > 4096) refuse("its data hold an endless name");
    const std::string text(take(end - at_));
    take(1);
    return text;
  }

  void push(PickleValue value) {
    if (values_.size() >= kMaxValues) refuse("its data hold more than two million values");
    count_children(value.children.size());
    values_.push_back(std::move(value));
    stack_.push_back(values_.size() - 1);
  }
  void count_children(std::size_t count) {
    children_ += count;
    if (children_ > kMaxChildren) refuse("its data hold the same values too many times over");
  }
  std::size_t pop() {
    if (stack_.size() <= floor()) refuse("its data are damaged (a value is missing)");
    const std::size_t value = stack_.back();
    stack_.pop_back();
    return value;
  }
  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  std::vector<std::size_t> pop_mark() {
    if (marks_.empty()) refuse("its data are damaged (a mark is missing)");
    std::vector<std::size_t> values(stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back()), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return values;
  }
  std::vector<std::size_t> pop_count(std::size_t count) {
    std::vector<std::size_t> values;
    for (std::size_t i = 0; i < count; ++i) values.insert(values.begin(), pop());
    return values;
  }

  /// Adds to the list, dictionary or object below.
  void extend(Kind kind, const std::vector<std::size_t>& children, bool pairs) {
    if (stack_.size() <= floor()) refuse("its data are damaged (a container is missing)");
    auto& value = values_[stack_.back()];
    if (value.kind != kind || (pairs && children.size() % 2 != 0)) refuse("its data are damaged (another container)");
    count_children(children.size());
    value.children.insert(value.children.end(), children.begin(), children.end());
  }

  void remember(std::uint64_t place) {
    if (stack_.size() <= floor()) refuse("its data are damaged (nothing to remember)");
    // LibTorch makes room for as many as the place says.
    if (place > memo_.size()) refuse("its data remember a value at place " + std::to_string(place));
    if (place == memo_.size()) memo_.push_back(0);
    memo_[place] = stack_.back();
  }
  void recall(std::uint64_t place) {
    if (place >= memo_.size()) refuse("its data ask for a value that they do not hold");
    stack_.push_back(memo_[place]);
  }

  bool step();
  void build_object();
  void call();
  void name_global();
  void load_storage();
  void build_tensor(const PickleValue& arguments);
  std::vector<std::int64_t> integers(std::size_t value) const;
  bool is(std::size_t value, Kind kind) const { return values_[value].kind == kind; }

  std::string_view pickle_;
  const std::function<std::optional<std::uint64_t>(const std::string&)>& storage_bytes_;
  std::size_t at_ = 0, children_ = 0;
  std::vector<PickleValue> values_;
  std::vector<std::size_t> stack_, marks_, memo_;
};

bool PickleScan::step() {
  const auto code = static_cast<unsigned char>(take(1)[0]);
  switch (code) {
    case 0x80:  // PROTO
      if (number(1) != 2) refuse("its data are of another pickle protocol");
      break;
    case '.':
      return false;
    case '(':
      marks_.push_back(stack_.size());
      break;
    case 0x88:
    case 0x89:
    case 'N':
      push({Kind::kPlain});
      break;  // True, False, None
    case 'K':
      push({Kind::kInteger, static_cast<std::int64_t>(number(1))});
      break;
    case 'M':
      push({Kind::kInteger, static_cast<std::int64_t>(number(2))});
      break;
    case 'J':
      push({Kind::kInteger, static_cast<std::int32_t>(number(4))});
      break;
    case 0x8a:  // LONG1
      if (number(1) != 8) refuse("its data hold a number of more than 64 bits");
      push({Kind::kInteger, static_cast<std::int64_t>(number(8))});
      break;
    case 'G':
      take(8), push({Kind::kPlain});
      break;
    case 'X':
      push({Kind::kString, 0, std::string(take(number(4)))});
      break;
    case ')':
      push({Kind::kTuple});
      break;
    case ']':
      push({Kind::kList});
      break;
    case '}':
      push({Kind::kDict});
      break;
    case 't':
      push({Kind::kTuple, 0, "", pop_mark()});
      break;
    case 0x85:
    case 0x86:
    case 0x87:
      push({Kind::kTuple, 0, "", pop_count(code - 0x84U)});
      break;
    case 'a':
      extend(Kind::kList, pop_count(1), false);
      break;
    case 'e':
      extend(Kind::kList, pop_mark(), false);
      break;
    case 's':
      extend(Kind::kDict, pop_count(2), true);
      break;
    case 'u':
      extend(Kind::kDict, pop_mark(), true);
      break;
    case 'q':
      remember(number(1));
      break;
    case 'r':
      remember(number(4));
      break;
    case 'h':
      recall(number(1));
      break;
    case 'j':
      recall(number(4));
      break;
    case 'c':
      name_global();
      break;
    case 'Q':
      load_storage();
      break;
    case 0x81:
      build_object();
      break;  // NEWOBJ
    case 'b': {
      const std::size_t state = pop();
      if (!is(state, Kind::kDict)) refuse("its data hold an object whose state is no dictionary");
      extend(Kind::kObject, {state}, false);
      break;
    }
    case 'R':
      call();
      break;
    default:
      refuse("its data hold the pickle instruction " + std::to_string(code));
  }
  return true;
}

void PickleScan::name_global() {
  const std::string module = line();
  const std::string name = line();
  const std::string whole = module + " " + name;
  if (module.starts_with("__torch__.torch.classes") || name.find("QInt") != name.npos ||
      name.find("QUInt") != name.npos || whole == "torch._utils _rebuild_qtensor")
    refuse("is quantised or holds a custom class (" + whole + ")", Refusal::Kind::kQuantised);
  const bool known = module == "__torch__" || module.starts_with("__torch__.") || element_sizes().contains(whole) ||
                     whole == "torch._utils _rebuild_tensor_v2" || contains(kFunctions, whole);
  if (!known) refuse("its data name '" + whole.substr(0, 80) + "'");
  push({Kind::kGlobal, 0, whole});
}

void PickleScan::build_object() {
  const std::size_t arguments = pop();
  const std::size_t type = pop();
  if (!is(type, Kind::kGlobal) || !values_[type].text.starts_with("__torch__") || !is(arguments, Kind::kTuple))
    refuse("its data make an object of what is no class");
  push({Kind::kObject});
}

void PickleScan::call() {
  const std::size_t arguments = pop();
  const std::size_t function = pop();
  // A member of an enumeration is its class called with the value alone.
  const bool own_class = is(function, Kind::kGlobal) && values_[function].text.starts_with("__torch__");
  if (own_class && !is(arguments, Kind::kTuple)) return push({Kind::kPlain, 0, "", {arguments}});
  if (!is(function, Kind::kGlobal) || !is(arguments, Kind::kTuple)) refuse("its data call what is no function");
  const std::string name = values_[function].text;
  const PickleValue held = values_[arguments];
  if (name == "torch._utils _rebuild_tensor_v2") return build_tensor(held);
  if (name.ends_with("restore_type_tag")) {
    if (held.children.size() != 2 || !is(held.children[1], Kind::kString))
      refuse("its data hold a type without a name");
    const auto& type = values_[held.children[1]].text;
    if (std::count(type.begin(), type.end(), '[') > 32 || type.size() > 4096) refuse("its data name an endless type");
  } else if (name.starts_with("torch.jit._pickle build_") &&
             (held.children.size() != 1 || !is(held.children[0], Kind::kList))) {
    refuse("its data make a list of what is no list");
  }
  if (element_sizes().contains(name)) refuse("its data call a type of storage");
  push({Kind::kPlain, 0, "", held.children});
}

void PickleScan::load_storage() {
  const PickleValue id = values_[pop()];
  const bool well_formed = id.kind == Kind::kTuple && id.children.size() == 5 && is(id.children[0], Kind::kString) &&
                           values_[id.children[0]].text == "storage" && is(id.children[1], Kind::kGlobal) &&
                           is(id.children[2], Kind::kString) && is(id.children[3], Kind::kString) &&
                           is(id.children[4], Kind::kInteger);
  if (!well_formed) refuse("its data name a storage in another way than LibTorch does");
  const auto size = element_sizes().find(values_[id.children[1]].text);
  const std::int64_t elements = values_[id.children[4]].number;
  if (size == element_sizes().end() || elements < 0) refuse("its data name a storage of an unknown type or size");
  const std::string& key = values_[id.children[2]].text;
  const auto bytes = elements == 0 ? 0 : storage_bytes_(key);
  if (!bytes) refuse("its data name the storage '" + key.substr(0, 40) + "', which is not there");
  if (static_cast<std::uint64_t>(elements) > *bytes / static_cast<std::uint64_t>(size->second))
    refuse("says that the storage '" + key.substr(0, 40) + "' holds " + std::to_string(elements) +
           " elements, more than its record");
  push({Kind::kStorage, elements});
}

std::vector<std::int64_t> PickleScan::integers(std::size_t value) const {
  std::vector<std::int64_t> numbers;
  if (!is(value, Kind::kTuple) || values_[value].children.size() > kMaxDimensions)
    refuse("its data hold a tensor without sizes");
  for (const std::size_t child : values_[value].children) {
    if (!is(child, Kind::kInteger) || values_[child].number < 0) refuse("its data hold a tensor of a negative size");
    numbers.push_back(values_[child].number);
  }
  return numbers;
}

void PickleScan::build_tensor(const PickleValue& arguments) {
  const auto& parts = arguments.children;
  if (parts.size() < 6 || !is(parts[0], Kind::kStorage) || !is(parts[1], Kind::kInteger))
    refuse("its data hold a tensor without a storage");
  const std::int64_t elements = values_[parts[0]].number;
  const std::int64_t offset = values_[parts[1]].number;
  const auto sizes = integers(parts[2]);
  const auto strides = integers(parts[3]);
  if (sizes.size() != strides.size() || offset < 0) refuse("its data hold a tensor whose sizes and strides differ");
  std::int64_t count = 1, last = offset;
  bool fits = true;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    fits = fits && !__builtin_mul_overflow(count, sizes[i], &count);
    std::int64_t reach = 0;
    fits = fits && !__builtin_mul_overflow(std::max<std::int64_t>(sizes[i], 1) - 1, strides[i], &reach) &&
           !__builtin_add_overflow(last, reach, &last);
  }
  const bool empty = contains(sizes, 0);
  if (!fits || (!empty && last >= elements) || offset > elements)
    refuse("its data hold a tensor that reaches beyond its storage");
  if (!empty && count > std::max(elements, kMaxExpanded))
    refuse("its data hold a tensor of " + std::to_string(count) + " elements on a storage of " +
           std::to_string(elements));
  push({Kind::kTensor});
}

}  // namespace

std::optional<Refusal> scan_pickle(
    std::string_view pickle, const std::function<std::optional<std::uint64_t>(const std::string&)>& storage_bytes) {
  try {
    PickleScan(pickle, storage_bytes).run();
  } catch (const Refused& refused) {
    return refused.refusal;
  }
  return std::nullopt;
}

}  // namespace graft
