#include "graft/export/export_artifact.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <sstream>

#include "graft/artifact/precision.h"
#include "graft/artifact/verify.h"
#include "graft/core/error.h"
#include "graft/core/files.h"
#include "graft/core/reason.h"
#include "graft/core/runtime.h"
#include "graft/image/preprocess.h"

namespace graft {
namespace {

constexpr const char* kFloatMethods = R"(
def features(self, x: Tensor) -> Tensor:
  return self.backbone.forward(x)
def logits(self, x: Tensor) -> Tensor:
  return self.head.forward(self.backbone.forward(x))
)";

// A method defined from C++ knows no torch.float32: types are numbers, float32 is 6.
constexpr const char* kReducedMethods = R"(
def features(self, x: Tensor) -> Tensor:
  return self.backbone.forward(x.to(@TYPE)).to(6)
def logits(self, x: Tensor) -> Tensor:
  return self.head.forward(self.backbone.forward(x.to(@TYPE)).to(6))
)";

constexpr const char* kForward = R"(
def forward(self, images: Tensor) -> Tensor:
  return self.answer.forward(self.logits(self.preprocess(images)))
)";

/// Two synthetic pictures, a gradient and a checkerboard with noise, of a size that needs resizing both ways: uint8 [2,
/// 96, 128, 3].
at::Tensor golden_images() {
  const at::Tensor y = torch::arange(96).view({96, 1, 1});
  const at::Tensor x = torch::arange(128).view({1, 128, 1});
  const at::Tensor c = torch::arange(3).view({1, 1, 3});
  const at::Tensor gradient = (x * (2 - c) + y * c + 20 * c).remainder(256);
  const at::Tensor noise = (x * 73 + y * 151 + c * 29 + x * y * 7).remainder(64);
  const at::Tensor checkers =
      ((x.floor_divide(16) + y.floor_divide(12)).remainder(2) * 150 + noise + 0 * c).remainder(256);
  return at::stack({gradient, checkers}).to(at::kByte).contiguous();
}

std::string methods_source(const Precision& precision) {
  if (precision.type == at::kFloat) return kFloatMethods;
  std::string text = kReducedMethods;
  const std::string name = "@TYPE";
  for (auto at = text.find(name); at != std::string::npos; at = text.find(name))
    text.replace(at, name.size(), std::to_string(static_cast<int>(precision.type)));
  return text;
}

void convert(const torch::jit::Module& module, at::ScalarType type) {
  const auto convert_one = [&](at::Tensor tensor) {
    if (tensor.is_floating_point()) tensor.set_data(tensor.to(type));
  };
  for (const auto& parameter : module.parameters()) convert_one(parameter);
  for (const auto& buffer : module.buffers()) convert_one(buffer);
}

at::Tensor golden_answer(torch::jit::Module& module, const at::Tensor& images, const Precision& precision) {
  try {
    return module.forward({images}).toTensor();
  } catch (const std::exception& error) {
    if (precision.type == at::kFloat) throw;
    throw Error({"precision '" + precision.name + "'",
                 "the backbone's program cannot compute in it (" + reason_in(error.what()) + ")",
                 "a program without types of its own", "export it as fp32"});
  }
}

}  // namespace

torch::jit::Module compose_artifact(torch::jit::Module backbone, torch::jit::Module head, torch::jit::Module answer,
                                    const ArtifactMetadata& metadata) {
  torch::NoGradGuard no_grad;
  const Precision& precision = precision_of(metadata.precision);
  if (precision.type != at::kFloat) convert(backbone, precision.type);
  torch::jit::Module module("__torch__.graft.Model");
  module.register_attribute("training", c10::BoolType::get(), false);
  module.register_module("backbone", backbone);
  module.register_module("head", head);
  module.register_module("answer", answer);
  c10::List<std::string> classes(metadata.classes);
  module.register_attribute("classes", c10::ListType::ofStrings(), classes);
  module.define(preprocess_source(metadata.input));
  module.define(methods_source(precision));
  module.define(kForward);
  module.eval();
  for (const auto& parameter : module.parameters()) parameter.set_requires_grad(false);
  const at::Tensor images = golden_images();
  module.register_attribute("golden_images", c10::TensorType::get(), images);
  module.register_attribute("golden_probabilities", c10::TensorType::get(), golden_answer(module, images, precision));
  return module;
}

void save_artifact(const std::filesystem::path& path, const torch::jit::Module& module, ArtifactMetadata& metadata) {
  metadata.tensors_sha256 = tensors_digest(module);
  metadata.versions = {{"graft", graft_version()}, {"torch", torch_version()}};
  // Through memory: LibTorch's writer aborts the process when its file cannot be written to the end.
  std::ostringstream content;
  module.save(content, {{kMetadataFile, to_json(metadata).dump(1) + "\n"}});
  replace_file(path, std::move(content).str());
}

void prove_artifact(Artifact& artifact, const std::filesystem::path& path, const at::Tensor& images,
                    const at::Tensor& expected_logits) {
  torch::NoGradGuard no_grad;
  const std::string subject = "artifact '" + path.string() + "'";
  for (const auto& check : verify_artifact(artifact))
    if (!check.passed)
      throw Error({subject, "its " + check.name + " does not hold (" + check.detail + ")",
                   "a file that equals what was trained", ""});
  const at::Tensor logits = artifact.module.get_method("logits")({images}).toTensor();
  const double scale = expected_logits.abs().max().item<double>();
  const double difference = (logits - expected_logits).abs().max().item<double>();
  const Precision& precision = precision_of(artifact.metadata.precision);
  const double allowed = precision.logit_tolerance * std::max(1.0, scale);
  if (!(difference <= allowed))
    throw Error({subject, c10::str("its logits differ from the trained network's by ", difference),
                 c10::str("at most ", allowed, " in ", precision.name),
                 precision.type == at::kFloat ? "" : "this network needs more digits: export it as fp32"});
}

}  // namespace graft
