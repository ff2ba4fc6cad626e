#include "graft/head/whitening.h"

#include <ATen/ATen.h>

#include "graft/core/whitening.h"
#include "graft/head/head_layer.h"

namespace graft {
namespace {

constexpr const char* kName = "whiten";

Json read_whiten(JsonReader& reader) {
  const std::string kind = reader.choice(kName, whitening_kinds().front(), whitening_kinds());
  return {{kName, kind}, {"eps", reader.number("eps", 1e-5, Range::at_least(0))}};
}

BuiltLayer build_whiten(Emitter& emitter, const Json&, const LayerPlace& place) {
  torch::jit::Module module = emitter.module("Whitening");
  module.register_buffer("mean", at::zeros({place.in}));
  module.register_buffer("matrix", at::eye(place.in));
  module.define("def forward(self, x: Tensor) -> Tensor:\n    return torch.linear(x - self.mean, self.matrix)\n");
  return {module, place.in};
}

}  // namespace

HeadLayerRow whiten_layer() { return {kName, read_whiten, build_whiten}; }

void RunningMoments::add(const at::Tensor& rows) {
  const at::Tensor wide = rows.detach().to(at::kCPU, at::kDouble);
  const at::Tensor mean = wide.mean(0), centred = wide - mean;
  const at::Tensor products = centred.t().matmul(centred);
  const std::int64_t added = wide.size(0), before = count_;
  count_ += added;
  if (before == 0) {
    mean_ = mean;
    products_ = products;
    return;
  }
  const at::Tensor apart = mean - mean_;
  const double part = static_cast<double>(added) / static_cast<double>(count_);
  products_ = products_ + products + at::outer(apart, apart) * (static_cast<double>(before) * part);
  mean_ = mean_ + apart * part;
}

at::Tensor RunningMoments::covariance() const {
  TORCH_CHECK(count_ > 1, "a covariance needs two rows");
  return products_ / static_cast<double>(count_ - 1);
}

bool whitens(const HeadSpec& spec) { return spec.layers.front().kind == kName; }

void set_whitening(torch::jit::Module& head, const HeadSpec& spec, const RunningMoments& moments) {
  TORCH_CHECK(whitens(spec), "the head does not whiten");
  const torch::jit::Module layer = head.attr("whiten_0").toModule();
  const Json& options = spec.layers.front().json;
  layer.attr("mean").toTensor().copy_(moments.mean());
  layer.attr("matrix").toTensor().copy_(whitening_matrix(options.at(kName), moments.covariance(), options.at("eps")));
}

}  // namespace graft
