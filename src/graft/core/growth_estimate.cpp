#include "graft/core/growth_estimate.h"

#include <torch/csrc/jit/frontend/lexer.h>

#include <algorithm>
#include <numeric>
#include <set>

namespace graft {
namespace {

constexpr std::int64_t kEnough = std::int64_t{1} << 36;

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
  pairwise_ = targets_.empty() && !nested_;
  nested_ = false;
  targets_.insert(targets_.end(), names_.begin(), names_.end());
  names_.clear();
  elements_.clear();
  frames_ = {{}};
  naming_ = true;  // a = b = …
}

void GrowthEstimate::end_element() {
  elements_.push_back(frames_.front().sum);
  frames_.front().sum = 0;
}

void GrowthEstimate::end_statement() {
  if (frames_.front().sum > 0) end_element();
  const bool paired = pairwise_ && elements_.size() == targets_.size();
  const auto all = std::accumulate(elements_.begin(), elements_.end(), std::int64_t{0});
  largest_ = std::max(largest_, all);
  for (std::size_t i = 0; i < targets_.size(); ++i)
    weights_[targets_[i]] = std::max(weight(targets_[i]), std::min(kEnough, paired ? elements_[i] : all));
  targets_.clear();
  names_.clear();
  elements_.clear();
  frames_ = {{}};
  naming_ = true;
  pairwise_ = nested_ = false;
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
      if (naming_) {
        names_.push_back(text);
        nested_ = nested_ || frames_.size() > 1;
      }
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
  } else if (kind == ',' && frames_.size() == 1) {
    end_element();
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
