#include "graft/core/growth_estimate.h"

#include <torch/csrc/jit/frontend/lexer.h>

#include <algorithm>

namespace graft {
namespace {

constexpr std::int64_t kEnough = std::int64_t{1} << 40;

/// Calls whose result is as large as their arguments together, rather than a tensor or a number.
const std::set<std::string>& growing_calls() {
  static const std::set<std::string> names{
      "add",      "add_",        "__iadd__", "format", "percentFormat", "unchecked_cast",
      "annotate", "__getitem__", "str",      "tuple",  "list",          "unchecked_unwrap_optional",
      "slice",    "strip",       "upper",    "lower",  "title",         "capitalize"};
  return names;
}

bool opens(int kind) { return kind == '(' || kind == '[' || kind == '{'; }
bool closes(int kind) { return kind == ')' || kind == ']' || kind == '}'; }

}  // namespace

std::int64_t GrowthEstimate::weight(const std::string& name) const {
  const auto known = weights_.find(name);
  return known == weights_.end() ? 1 : known->second;
}

void GrowthEstimate::add(std::int64_t weight) {
  frames_.back().sum = std::min(kEnough, frames_.back().sum + weight);
  largest_ = std::max(largest_, frames_.back().sum);
}

void GrowthEstimate::start_targets() {
  targets_.insert(names_.begin(), names_.end());
  names_.clear();
  frames_ = {{}};
  naming_ = true;  // a = b = …
}

void GrowthEstimate::end_statement() {
  for (const auto& target : targets_) weights_[target] = std::max(weight(target), frames_.front().sum);
  targets_.clear();
  names_.clear();
  frames_ = {{}};
  naming_ = true;
}

void GrowthEstimate::feed(int kind, const std::string& text) {
  using namespace torch::jit;
  if (kind == TK_NEWLINE || kind == TK_INDENT || kind == TK_DEDENT) {
    end_statement();
  } else if (kind == TK_DEF) {
    weights_.clear();
  } else if (kind == TK_FOR && frames_.size() > 1) {
    lost_ = true;
  } else if (kind == TK_IN && !names_.empty() && frames_.size() == 1) {
    start_targets();
  } else if (kind == TK_IDENT) {
    if (previous_ != '.') {
      add(weight(text));
      if (naming_) names_.insert(text);
    }
    chain_end_ = text;
  } else if (kind == TK_STRINGLITERAL) {
    add(static_cast<std::int64_t>(text.size()));
  } else if (kind == TK_NUMBER) {
    add(1);
  } else if (opens(kind)) {
    const bool call = kind == '(' && (previous_ == TK_IDENT);
    frames_.push_back({0, !call || growing_calls().contains(chain_end_)});
  } else if (closes(kind) && frames_.size() > 1) {
    const Frame inner = frames_.back();
    frames_.pop_back();
    if (inner.passes) add(inner.sum);
  } else if (kind == '=' && frames_.size() == 1) {
    start_targets();
  } else if (kind == ':' && frames_.size() == 1) {
    naming_ = false;
  } else if (kind == TK_PLUS_EQ || kind == TK_TIMES_EQ || kind == TK_MOD_EQ) {
    const std::int64_t before = frames_.front().sum;
    start_targets();
    add(before);
  }
  previous_ = kind;
}

}  // namespace graft
