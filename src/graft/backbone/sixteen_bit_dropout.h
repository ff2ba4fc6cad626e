#pragma once
#include <torch/csrc/jit/api/module.h>

namespace graft::graph {

/// Makes dropout that trains draw sixteen random bits a number where torch.dropout draws sixty-four, one number at a
/// time: in a head on features that are kept, that is a third of a step. The probability is rounded to a multiple of
/// 2^-16, and what remains is scaled by exactly that. On a GPU it is torch.dropout. A file that holds
/// such a module runs nowhere else: what is exported is built anew.
void use_sixteen_bit_dropout(const torch::jit::Module& module);

}  // namespace graft::graph
