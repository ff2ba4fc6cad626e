#pragma once
#include <string_view>

namespace graft {

/// Whether a network may use an operator: one that computes from its inputs, and neither writes files, starts work
/// elsewhere, changes the process nor steps out of a tensor's bounds.
/// @param name_space  "aten" or "prim"; no other namespace has any
bool is_allowed_operator(std::string_view name_space, std::string_view name);

/// Whether it is an operator of optimize_for_inference's results, which are built for one kind of processor.
bool is_inference_only_operator(std::string_view name_space, std::string_view name);

/// Whether it belongs to a quantised network.
bool is_quantised_operator(std::string_view name_space, std::string_view name);

}  // namespace graft
