#include "graft/head/whitening.h"

#include <ATen/ATen.h>

#include "graft/head/head_layer.h"

namespace graft {
namespace {

constexpr const char* kName = "whiten";
const std::vector<std::string> kKinds{"pca", "zca"};

Json read_whiten(JsonReader& reader) {
  const std::string kind = reader.choice(kName, kKinds.front(), kKinds);
  return {{kName, kind}, {"eps", reader.number("eps", 1e-5, Range::at_least(0))}};
}

BuiltLayer build_whiten(Emitter& emitter, const Json&, const LayerPlace& place) {
  torch::jit::Module module = emitter.module("Whitening");
  module.register_buffer("mean", at::zeros({place.in}));
  module.register_buffer("matrix", at::eye(place.in));
  module.define("def forward(self, x: Tensor) -> Tensor:\n    return torch.linear(x - self.mean, self.matrix)\n");
  return {module, place.in};
}

/// [D, D], rows of which are the components, the largest variance first.
at::Tensor whitening_matrix(const Json& layer, const at::Tensor& covariance) {
  const auto [variances, vectors] = at::linalg_eigh(covariance);
  const at::Tensor components = vectors.t().flip(0);
  const at::Tensor scale = (variances.flip(0).clamp_min(0) + layer.at("eps").get<double>()).rsqrt().unsqueeze(1);
  if (layer.at(kName) == "zca") return components.t().matmul(components * scale);
  const at::Tensor largest = components.gather(1, components.abs().argmax(1, true));
  return components * largest.sign() * scale;
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
  layer.attr("mean").toTensor().copy_(moments.mean());
  layer.attr("matrix").toTensor().copy_(whitening_matrix(spec.layers.front().json, moments.covariance()));
}

}  // namespace graft
