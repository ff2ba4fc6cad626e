#include "graft/core/device.h"

#include <torch/cuda.h>

#include "graft/core/error.h"

namespace graft {

c10::Device resolve_device(const std::string& name) {
  const auto count = static_cast<int>(torch::cuda::device_count());
  if (name == "cpu" || (name == "auto" && count == 0)) return c10::Device(c10::kCPU);
  if (name == "auto" || name == "cuda" || name.starts_with("cuda:")) {
    const std::string digits = name.starts_with("cuda:") ? name.substr(5) : "0";
    const bool is_number =
        !digits.empty() && digits.size() < 4 && digits.find_first_not_of("0123456789") == std::string::npos;
    if (!is_number) throw Error({"device '" + name + "'", "no number after 'cuda:'", "cuda:N with N from 0", ""});
    if (std::stoi(digits) < count) return c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(std::stoi(digits)));
    throw Error(
        {"device '" + name + "'", "this LibTorch sees " + std::to_string(count) + " CUDA devices",
         "a device that is there",
         count == 0 ? "use --device cpu, or a LibTorch built for CUDA on a machine with a GPU" : "they count from 0"});
  }
  throw Error({"device '" + name + "'", "unknown device", "auto, cpu, cuda or cuda:N", ""});
}

}  // namespace graft
