#include "graft/tune/step_cost.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>

#include "graft/core/random.h"
#include "graft/optim/clip.h"
#include "graft/train/checkpoint.h"
#include "graft/train/diagnosis.h"
#include "graft/train/evaluate.h"
#include "graft/train/full_batch.h"
#include "graft/train/run_folder.h"
#include "graft/train/stopwatch.h"
#include "graft/train/task.h"
#include "graft/train/training_samples.h"
#include "graft/tune/time_of.h"

namespace graft {
namespace {

/// Rows of as many images as are asked for, from the first again where there are fewer.
at::Tensor repeated(const at::Tensor& rows, std::int64_t count) {
  return rows.index_select(0, at::arange(count).remainder(rows.size(0)));
}

class PhaseSteps {
 public:
  PhaseSteps(PreparedRun& parts, const Recipe& recipe, std::size_t phase)
      : parts_(parts), recipe_(recipe), index_(phase), before_(copy_tensors(parts.tensors())) {
    const auto counts = parts.dataset.class_counts(Split::kTrain);
    const EpochBatches batches(recipe.balance, parts.train.samples(), counts,
                               recipe.batch_size * recipe.phases[phase].accumulate);
    steps_per_epoch_ = batches.steps();
    diagnosis_.begin_phase(recipe, phase, parts.network, std::ssize(counts), steps_per_epoch_);
  }
  PhaseSteps(const PhaseSteps&) = delete;
  PhaseSteps& operator=(const PhaseSteps&) = delete;
  ~PhaseSteps() { restore_tensors(parts_.tensors(), before_, "network"); }

  double training(const at::Tensor& rows) {
    loss_ = parts_.training_loss();
    if (phase().optimizer.full_batch()) return on_all(rows);
    optimizer_ = make_optimizer(phase().optimizer, parts_.network.parameter_groups(phase().layer_lr_decay));
    penalty_.emplace(phase().penalty, optimizer_->groups(), parts_.pretrained);
    const std::int64_t images = std::ssize(parts_.train.samples());
    const std::int64_t size = std::min(images, recipe_.batch_size * phase().accumulate);
    if (phase().average.averages()) average_.emplace(phase().average, parts_.tensors(), steps_per_epoch_);
    parts_.network.train();
    const at::Tensor batch = repeated(rows, size);
    // A last step of fewer images takes less: counted in images.
    const double steps = static_cast<double>(phase().epochs * images) / static_cast<double>(size);
    return time_of(steps, [&](std::int64_t step) { take(step, batch.clone()); });
  }

  double validation(const at::Tensor& rows) {
    const torch::NoGradGuard no_grad;
    parts_.network.eval();
    const std::int64_t images = std::ssize(parts_.val.samples());
    const std::int64_t size = std::min(images, recipe_.batch_size);
    const at::Tensor batch = repeated(rows, size);
    at::Tensor answers;
    const double batches = static_cast<double>(phase().epochs * images) / static_cast<double>(size);
    const double forward = time_of(batches, [&](std::int64_t i) {
      const at::Tensor features = parts_.network.features(batch.clone());
      diagnosis_.see_features(features, i * size % images);
      const at::Tensor outputs = parts_.network.head().forward({features}).toTensor().to(at::kCPU, at::kFloat);
      answers = parts_.answer.forward({outputs}).toTensor();
    });
    const at::Tensor all = repeated(answers, images), labels = labels_of(parts_.val.samples());
    return forward + time_of(static_cast<double>(phase().epochs), [&](std::int64_t) {
             parts_.network.train();
             parts_.network.eval();
             task_row(recipe_.task).measure(all, labels, parts_.dataset.classes, {recipe_.stop.metric});
           });
  }

  /// Before the first epoch, after the last, and between epochs that take `seconds` in all. An epoch that is the best
  /// so far is written twice, which is not counted.
  double saving(const std::filesystem::path& folder, double seconds) {
    const RunFolder files(folder);
    Checkpoint checkpoint;
    checkpoint.state = Json::object();
    checkpoint.put("network", parts_.tensors());
    if (optimizer_) checkpoint.put("optimizer", optimizer_->state());
    if (average_) checkpoint.put("average", average_->tensors());
    const double between =
        std::min(static_cast<double>(phase().epochs), seconds / RunEnvironment{}.seconds_between_checkpoints);
    return time_of(between + 2, [&](std::int64_t) {
      save_checkpoint(folder / "last.pt", checkpoint);
      files.write_history(Json::array());
    });
  }

 private:
  const Phase& phase() const { return recipe_.phases[index_]; }

  void take(std::int64_t step, at::Tensor activations) {
    const at::Tensor rows = at::arange(activations.size(0));
    diagnosis_.see_loss(take_gradient({parts_.network, *optimizer_, loss_, *penalty_, recipe_.batch_size},
                                      mixing_of(recipe_, index_), step, std::move(activations), rows));
    diagnosis_.before_update(optimizer_->groups(), step % steps_per_epoch_);
    clip_gradients(phase().clip, optimizer_->groups());
    optimizer_->step({phase().optimizer.lr(), {}});
    diagnosis_.after_update(optimizer_->groups());
    if (average_) average_->update(step + 1);
  }

  /// On as many rows as there are images: those at hand, which are from all over them, so that most labels fit, with
  /// noise, so that no two are the same.
  double on_all(const at::Tensor& rows) {
    const torch::NoGradGuard no_grad;
    seed_torch(recipe_.seed);
    const std::int64_t images = std::ssize(parts_.train.samples());
    at::Tensor features = rows.index_select(0, at::arange(images).mul(rows.size(0)).floor_divide(images));
    features = (features + kNoise * features.std() * at::randn_like(features)).to(parts_.network.device());
    const at::Tensor targets = loss_.targets.to(parts_.network.device());
    const Stopwatch watch;
    train_full_batch(parts_.network.head(), recipe_.head, {features, targets, loss_.weights}, loss_.loss, phase(), {});
    return watch.seconds();
  }

  static constexpr double kNoise = 0.3;

  PreparedRun& parts_;
  const Recipe& recipe_;
  std::size_t index_;
  std::map<std::string, at::Tensor> before_;
  std::int64_t steps_per_epoch_ = 1;
  Json found_ = Json::object();
  Diagnosis diagnosis_{found_, [](const std::string&) {}};
  TrainingLoss loss_;
  std::unique_ptr<Optimizer> optimizer_;
  std::optional<Penalty> penalty_;
  std::optional<WeightAverage> average_;
};

}  // namespace

StepCost time_steps(PreparedRun& parts, const Recipe& recipe, std::size_t phase, const at::Tensor& train,
                    const at::Tensor& val, const std::filesystem::path& folder) {
  PhaseSteps steps(parts, recipe, phase);
  StepCost cost;
  cost.training_s = steps.training(train);
  cost.validation_s = steps.validation(val);
  cost.saving_s = steps.saving(folder, cost.training_s + cost.validation_s);
  return cost;
}

}  // namespace graft
