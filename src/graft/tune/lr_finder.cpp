#include "graft/tune/lr_finder.h"

#include <torch/types.h>

#include "graft/core/device.h"
#include "graft/core/error.h"
#include "graft/core/random.h"
#include "graft/core/runtime.h"
#include "graft/optim/clip.h"
#include "graft/train/fit_head.h"
#include "graft/train/prepared_run.h"
#include "graft/train/stored_run.h"
#include "graft/train/take_gradient.h"
#include "graft/train/training_samples.h"

namespace graft {
namespace {

/// What must hold before anything is loaded.
RunSpec prepared(RunSpec spec, std::size_t phase) {
  if (phase >= spec.recipe.phases.size())
    throw Error({"phase " + std::to_string(phase + 1), "is not in the recipe",
                 "1 to " + std::to_string(spec.recipe.phases.size()), ""});
  const Phase& tested = spec.recipe.phases[phase];
  if (tested.optimizer.full_batch())
    throw Error({"phase '" + tested.name + "'", "has the optimizer " + tested.optimizer.name,
                 "one of single steps: it takes no learning rate", ""});
  set_thread_count(spec.recipe.threads);
  check_backbone_file(spec.recipe);
  if (spec.recipe.activations == "disk") spec.recipe.activations = "auto";  // nothing is written
  return spec;
}

class RangeTest {
 public:
  RangeTest(const RunSpec& spec, std::size_t index, const LrRange& range, const LrListener& listener)
      : spec_(prepared(spec, index)),
        index_(index),
        range_(range),
        listener_(listener),
        parts_(spec_, resolve_device(spec_.recipe.device), 0,
               {[this](const std::string& text) {
                  if (listener_.message) listener_.message(text);
                },
                [this](const SkippedImage& image) {
                  if (listener_.skipped_image) listener_.skipped_image(image);
                }}) {
    const auto counts = parts_.dataset.class_counts(Split::kTrain);
    const auto& samples = parts_.train.samples();
    parts_.begin_phase(index_);
    optimizer_ = make_optimizer(phase().optimizer, parts_.network.parameter_groups(phase().layer_lr_decay));
    penalty_.emplace(phase().penalty, optimizer_->groups(), parts_.pretrained);
    batches_.emplace(recipe().balance, samples, counts, recipe().batch_size * phase().accumulate);
  }

  LrCurve run(const std::stop_token& stop) {
    std::stop_source ended;
    const std::stop_callback asked(stop, [&] { ended.request_stop(); });
    if (!fit_head(parts_.network, recipe().head, parts_.train, recipe().batch_size, progress(), ended.get_token()))
      return curve_;
    if (!parts_.ask_teacher(told(listener_.teacher_progress), ended.get_token())) return curve_;
    loss_ = parts_.training_loss();
    parts_.start_head(order(0).front(), progress(), ended.get_token());
    parts_.network.train();
    for (std::uint64_t epoch = 0; !ended.stop_requested(); ++epoch)
      parts_.train.for_each_batch(
          order(epoch), epoch,
          [&](at::Tensor activations, const auto& rows) {
            if (!ended.stop_requested() && !step(std::move(activations), rows)) ended.request_stop();
          },
          progress(), ended.get_token(), mixing().of_images(steps_));
    return curve_;
  }

 private:
  const Recipe& recipe() const { return spec_.recipe; }
  const Phase& phase() const { return recipe().phases[index_]; }

  Batches order(std::uint64_t epoch) const { return (*batches_)(derive_seed(recipe().seed, "order", index_, epoch)); }

  Mixing mixing() const { return mixing_of(recipe(), index_); }

  static FrozenProgress told(const FrozenProgress& listener) {
    return listener ? listener : FrozenProgress([](std::size_t, std::size_t) {});
  }
  FrozenProgress progress() const { return told(listener_.frozen_progress); }

  /// @returns whether there is another
  bool step(at::Tensor activations, const std::vector<std::int64_t>& rows) {
    const double lr = range_.at(steps_);
    const double loss = take_gradient({parts_.network, *optimizer_, loss_, *penalty_, recipe().batch_size}, mixing(),
                                      steps_, std::move(activations), torch::tensor(rows));
    ++steps_;
    if (listener_.step) listener_.step(steps_, range_.num_iter);
    if (!curve_.add(lr, loss) || steps_ == range_.num_iter) return false;
    clip_gradients(phase().clip, optimizer_->groups());
    optimizer_->step({lr, {}});
    return true;
  }

  RunSpec spec_;
  std::size_t index_;
  LrRange range_;
  LrListener listener_;
  PreparedRun parts_;
  std::unique_ptr<Optimizer> optimizer_;
  std::optional<Penalty> penalty_;
  TrainingLoss loss_;
  std::optional<EpochBatches> batches_;
  std::int64_t steps_ = 0;
  LrCurve curve_;
};

}  // namespace

LrCurve find_lr(const RunSpec& spec, std::size_t phase, const LrRange& range, const LrListener& listener,
                const std::stop_token& stop) {
  return RangeTest(spec, phase, range, listener).run(stop);
}

}  // namespace graft
