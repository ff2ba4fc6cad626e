#pragma once
#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "graft/core/json.h"

namespace graft {

/// The recipe's data.balance, a name of the table with its options: what to do about classes of unequal size.
struct BalanceSpec {
  std::string name = "none";
  Json options = Json::object();  ///< as read: every option; by hand: some may be left out
  bool draws() const;             ///< whether an epoch draws images instead of taking each once
};
/// In the table's order.
const std::vector<std::string>& balance_names();
BalanceSpec read_balance_spec(const Json& value, const std::string& path, std::vector<Problem>& problems);
Json to_json(const BalanceSpec& spec);

/// What a class's images count, float64 [C], with a mean over all images of 1: in the loss, or (draws()) in how often
/// they are drawn. Undefined for "none".
/// @param class_counts  training images of each class
at::Tensor class_weights(const BalanceSpec& spec, const std::vector<std::int64_t>& class_counts);

}  // namespace graft
