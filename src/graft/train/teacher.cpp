#include "graft/train/teacher.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>

#include "graft/artifact/artifact.h"
#include "graft/core/error.h"
#include "graft/core/hash.h"
#include "graft/core/names.h"
#include "graft/core/reason.h"
#include "graft/core/runtime.h"
#include "graft/core/torchscript_file.h"
#include "graft/data/activations.h"

namespace graft {
namespace {

constexpr const char* kRole = "distill.teacher";

void hold_to_hash(DistillSpec& spec, const std::string& subject) {
  const std::string found = sha256_file(spec.teacher);
  if (spec.sha256.empty()) spec.sha256 = found;
  if (found != spec.sha256)
    throw Error(
        {subject, "has SHA-256 " + found, spec.sha256 + ", as the recipe says", "another file, or a damaged one"});
}

/// Where each of the data's classes stands among those of an artifact.
at::Tensor order_of(const std::vector<std::string>& classes, const std::vector<std::string>& of_artifact,
                    const std::string& subject) {
  const auto missing = [](const auto& wanted, const auto& names) {
    return std::ranges::find_if(wanted, [&](const auto& name) { return !contains(names, name); });
  };
  const std::string expected = "the classes of the data, from '" + classes.front() + "' to '" + classes.back() + "'";
  if (const auto unknown = missing(classes, of_artifact); unknown != classes.end())
    throw Error({subject, "knows no class '" + *unknown + "'", expected, did_you_mean(*unknown, of_artifact)});
  if (const auto beside = missing(of_artifact, classes); beside != of_artifact.end())
    throw Error({subject, "knows the class '" + *beside + "' too", expected, ""});
  std::vector<std::int64_t> order;
  for (const auto& name : classes) order.push_back(std::ranges::find(of_artifact, name) - of_artifact.begin());
  return at::tensor(order, at::kLong);
}

/// Whether rows look as softmax leaves them.
bool are_probabilities(const at::Tensor& rows) {
  return rows.ge(0).all().item<bool>() && rows.sum(1).sub(1).abs().lt(1e-3).all().item<bool>();
}

std::string description_of(const c10::IValue& value) {
  if (!value.isTensor()) return value.type()->repr_str();
  return c10::str(value.toTensor().scalar_type(), " ", value.toTensor().sizes());
}

}  // namespace

Teacher::Teacher(DistillSpec& spec, std::vector<std::string> classes, const InputSpec& input, c10::Device device,
                 Trust trust)
    : subject_(kRole + (" '" + spec.teacher.string() + "'")),
      file_(spec.teacher.filename().string()),
      classes_(std::move(classes)),
      input_(input),
      device_(device),
      is_artifact_(is_artifact(spec.teacher, kRole)) {
  hold_to_hash(spec, subject_);
  if (is_artifact_)
    load_artifact(spec, trust);
  else
    module_ = load_torchscript(spec.teacher, kRole, trust);
  module_.eval();
  module_.to(device_);
  // A first call on one thread: networks keep what they derive of an image's size, which later calls only read.
  const at::Tensor rows = answer(at::zeros({2, 3, input_.size, input_.size}));
  if (!is_artifact_ && are_probabilities(rows))
    throw Error({subject_, "answers with probabilities: they are positive and sum to 1", "logits",
                 "save the network without its softmax"});
}

void Teacher::load_artifact(const DistillSpec& spec, Trust trust) {
  Artifact artifact = graft::load_artifact(spec.teacher, trust, kRole);
  if (const std::string task = to_string(Task::kSingleLabel); artifact.metadata.task != task)
    throw Error({subject_, "is for the task " + artifact.metadata.task, task + ", as the recipe's", ""});
  order_ = order_of(classes_, artifact.metadata.classes, subject_);
  input_ = artifact.metadata.input;
  module_ = std::move(artifact.module);
}

std::string Teacher::summary() const {
  return c10::str("teacher ", file_, ": ", is_artifact_ ? "an artifact of Graft" : "a TorchScript classifier", ", ",
                  input_.size, " px");
}

at::Tensor Teacher::answer(const at::Tensor& images) const {
  const torch::NoGradGuard no_grad;
  const auto count = static_cast<std::int64_t>(classes_.size());
  c10::IValue found;
  try {
    found = module_.get_method(is_artifact_ ? "logits" : "forward")({images.to(device_)});
  } catch (const std::exception& error) {
    throw Error({subject_, c10::str("fails on images ", images.sizes(), " (", reason_in(error.what()), ")"),
                 "a network that takes any number of them", "input.size is the side of its images"});
  }
  const bool are_logits = found.isTensor() && found.toTensor().is_floating_point() &&
                          found.toTensor().sizes() == at::IntArrayRef{images.size(0), count};
  if (!are_logits)
    throw Error({subject_, c10::str("answers ", images.size(0), " images with ", description_of(found)),
                 c10::str("logits [", images.size(0), ", ", count, "], one for each class from '", classes_.front(),
                          "' to '", classes_.back(), "'"),
                 "a teacher knows the classes of the data, in order of name"});
  const at::Tensor logits = found.toTensor().to(at::kCPU, at::kFloat);
  return order_.defined() ? logits.index_select(1, order_) : logits;
}

/// @param begin  the sample that the first row is of
void Teacher::check_finite(const at::Tensor& rows, const Samples& samples, std::int64_t begin) const {
  const at::Tensor broken = rows.isfinite().all(1).logical_not().nonzero();
  if (broken.numel() == 0) return;
  const auto first = static_cast<std::size_t>(begin + broken[0].item<std::int64_t>());
  throw Error({subject_, "its answer to '" + samples[first].path + "' is no finite number", "logits", ""});
}

at::Tensor Teacher::logits(const Samples& samples, std::int64_t batch_size, const FrozenProgress& progress,
                           const std::stop_token& stop) const {
  const at::Tensor rows = at::empty({std::ssize(samples), std::ssize(classes_)});
  std::int64_t done = 0;
  stream_activations(
      {samples, input_, {}, batch_size, thread_count()}, batches_in_order(samples.size(), batch_size),
      [](const Sample&) { return std::uint64_t{0}; }, [this](const at::Tensor& images) { return answer(images); },
      [&](std::size_t, const at::Tensor& batch) {
        check_finite(batch, samples, done);
        rows.narrow(0, done, batch.size(0)).copy_(batch);
        progress(static_cast<std::size_t>(done += batch.size(0)), samples.size());
      },
      stop);
  return rows.narrow(0, 0, done);
}

}  // namespace graft
