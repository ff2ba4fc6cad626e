#pragma once
#include <stdexcept>
#include <string>
#include <vector>

namespace graft {

/// One thing that is wrong, in the words of the person who can mend it.
struct Problem {
  std::string subject;   ///< what it is about: a file, an option, a recipe's JSON path
  std::string found;     ///< what was found there
  std::string expected;  ///< what was expected instead; may be empty
  std::string hint;      ///< what to do; may be empty

  /// "subject: found, expected …: hint" on one line.
  std::string message() const;
};

/// All that a user, a file or a device can cause. Programming mistakes are TORCH_CHECKs instead.
class Error : public std::runtime_error {
 public:
  explicit Error(Problem problem);
  /// Several problems reported together, such as all mistakes of one recipe. `problems` must not be empty.
  explicit Error(std::vector<Problem> problems);

  /// At least one.
  const std::vector<Problem>& problems() const noexcept { return problems_; }

 private:
  std::vector<Problem> problems_;
};

}  // namespace graft
