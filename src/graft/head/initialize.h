#pragma once
#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace graft {

/// Names that "init" takes, torch.nn.init's: kaiming_uniform (PyTorch's own default for Linear: a = sqrt(5), bias
/// uniform in ±1/sqrt(fan_in)), kaiming_normal (fan in, gain of ReLU), xavier_uniform, xavier_normal, normal (std
/// 0.01), orthogonal, zeros. Biases are zero but for the first.
const std::vector<std::string>& initialization_names();

/// Fills weight [out, in] and bias [out] (may be undefined) in place. `generator` is a CPU generator, whatever the
/// device of the weight; the same state of it gives the same numbers.
void initialize_linear(const std::string& name, const at::Tensor& weight, const at::Tensor& bias,
                       at::Generator generator);

}  // namespace graft
