#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace graft {

/// How large the texts and tuples of a function can grow while LibTorch compiles it: it folds operators on constants as
/// it goes, and types are trees, so that `a = (a, a)` or `a = torch.add(a, a)` forty times over never ends. Fed with
/// the tokens of one source; what it says is never too small for statements of one function.
class GrowthEstimate {
 public:
  /// @param kind  of torch::jit::Token
  void feed(int kind, const std::string& text);
  /// The largest value of the source so far: elements of a tuple, letters of a text.
  std::int64_t largest() const { return largest_; }
  /// Whether something was met that Graft does not follow and PyTorch does not write: a comprehension.
  bool lost() const { return lost_; }

 private:
  struct Frame {
    std::int64_t sum = 0;
    bool passes = true;  ///< what stands in it stays part of the value: no call of an operator that makes a new one
  };
  std::int64_t weight(const std::string& name) const;
  void add(std::int64_t weight);
  void start_targets();
  void end_element();
  void end_statement();

  std::map<std::string, std::int64_t> weights_;  // of the function's variables; 1 where it is not known
  std::vector<std::string> targets_, names_;     // to be assigned to; met at the start of the statement
  std::vector<std::int64_t> elements_;           // of the statement's value, as far as commas part it
  std::vector<Frame> frames_{{}};
  std::string chain_end_;  // the last word of the dotted name that was just read
  int previous_ = 0;
  bool naming_ = true, nested_ = false, pairwise_ = false, lost_ = false;
  std::int64_t largest_ = 0;
};

}  // namespace graft
