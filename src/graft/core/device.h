#pragma once
#include <c10/core/Device.h>

#include <string>

namespace graft {

/// "auto" (the first CUDA device, else the CPU), "cpu", "cuda" or "cuda:N".
/// @throws Error when the name is none of these or the device is not there.
c10::Device resolve_device(const std::string& name);

}  // namespace graft
