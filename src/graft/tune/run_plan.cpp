#include "graft/tune/run_plan.h"

#include <torch/types.h>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "graft/artifact/predictor.h"
#include "graft/core/device.h"
#include "graft/core/runtime.h"
#include "graft/train/evaluate.h"
#include "graft/train/export_model.h"
#include "graft/train/fast_predictor.h"
#include "graft/train/prepared_run.h"
#include "graft/train/stopwatch.h"
#include "graft/train/stored_run.h"
#include "graft/tune/step_cost.h"
#include "graft/tune/timed_images.h"
#include "graft/tune/work_folder.h"

namespace graft {
namespace {

class RunTiming {
 public:
  RunTiming(RunSpec spec, const PlanListener& listener) : spec_(std::move(spec)), listener_(listener) {
    set_thread_count(spec_.recipe.threads);
    spec_.environment.looks_only = true;
  }

  RunCost measure() {
    RunCost cost;
    cost.start_s = start();
    std::size_t unchanged = std::numeric_limits<std::size_t>::max();
    for (std::size_t phase = 0; phase < recipe().phases.size(); ++phase) {
      cost.phases.push_back(in_phase(phase, unchanged));
      unchanged = std::min(unchanged, parts_->network.boundary());
    }
    cost.export_s = exporting();
    return cost;
  }

 private:
  const Recipe& recipe() const { return spec_.recipe; }

  /// Photos are examined before: the run finds the index. That it is found here, a moment later, is not told.
  double start() {
    if (!spec_.environment.image_indexes.empty()) load_run_data(spec_, {});
    const Stopwatch watch;
    check_backbone_file(recipe());
    parts_.emplace(spec_, resolve_device(recipe().device), 0,
                   PreparedRun::Listener{[this](const std::string& text) {
                                           if (parts_ && listener_.message) listener_.message(text);
                                         },
                                         [this](const SkippedImage& image) {
                                           if (listener_.skipped_image) listener_.skipped_image(image);
                                         }});
    const double seconds = watch.seconds();
    train_.emplace(parts_->train, parts_->engines);
    val_.emplace(parts_->val, parts_->val_engines ? *parts_->val_engines : parts_->engines);
    return seconds + teaching();
  }

  /// For as many photos as all workers take at once, and as a step takes, and so for all.
  double teaching() {
    if (!recipe().distill.distills()) return 0;
    std::int64_t most = recipe().batch_size * thread_count();
    for (const auto& phase : recipe().phases) most = std::max(most, recipe().batch_size * phase.accumulate);
    const auto images = parts_->train.samples().size(), asked = std::min(images, static_cast<std::size_t>(most));
    const Stopwatch watch;
    parts_->ask_teacher([](std::size_t, std::size_t) {}, {}, asked);
    return watch.seconds() * static_cast<double>(images) / static_cast<double>(asked);
  }

  PhaseCost in_phase(std::size_t index, std::size_t unchanged) {
    const Phase& phase = recipe().phases[index];
    const Stopwatch watch;
    parts_->begin_phase(index);
    const double beginning = watch.seconds();
    const Backbone& backbone = parts_->network.backbone();
    const std::size_t boundary = parts_->network.boundary();
    PhaseCost cost;
    cost.name = phase.name;
    cost.boundary = backbone.boundary_name(boundary);
    cost.kept_at = parts_->kept_at();
    cost.epochs = phase.epochs;
    cost.bytes = parts_->train.kept().bytes + parts_->val.kept().bytes;
    cost.train = train_->in_phase(backbone, phase, boundary, unchanged);
    cost.val = val_->in_phase(backbone, phase, boundary, unchanged);
    cost.engines_s = train_->take_engine_seconds() + val_->take_engine_seconds();
    const StepCost steps = time_steps(*parts_, recipe(), index, train_->rows(), val_->rows(), folder_.path());
    cost.training_s = beginning + steps.training_s;
    cost.validation_s = steps.validation_s;
    cost.saving_s = steps.saving_s;
    parts_->end_phase();
    for (auto* images : {&*train_, &*val_}) images->trained_above(boundary);
    return cost;
  }

  /// Of the weights that the run starts with, measured on a few images and counted for all.
  double exporting() {
    const Dataset few = with_few_to_measure();
    const auto val = few.of(Split::kVal);
    const Backbone& backbone = parts_->network.backbone();
    at::Tensor features;
    if (parts_->keeps_val_features())
      features = example_rows(backbone, backbone.last_boundary(), val, recipe().input).narrow(0, 0, std::ssize(val));
    const auto file = folder_.path() / "model.pt";
    const auto tensors = copy_tensors(parts_->tensors());
    const Stopwatch watch;
    export_model(
        {recipe(), spec_.backbone_facts, few, tensors, parts_->network, "fp32", spec_.environment.trust, features},
        file, [](const std::string&) {});
    const double exported = watch.seconds();
    auto left = parts_->dataset.of(Split::kTest).size();
    if (!features.defined()) left += parts_->val.samples().size();
    return exported + predicting(file, left);
  }

  /// Without the test images and with a few of validation.
  Dataset with_few_to_measure() const {
    Dataset few = parts_->dataset;
    std::size_t left = kExported;
    std::erase_if(few.samples, [&](const Sample& sample) {
      if (sample.split != Split::kVal) return sample.split == Split::kTest;
      return left == 0 || left-- == 0;
    });
    return few;
  }

  /// Seconds that the exported file takes for so many images.
  double predicting(const std::filesystem::path& file, std::size_t images) const {
    if (images == 0) return 0;
    const Predictor predictor = Predictor::load(file, "cpu", spec_.environment.trust);
    const auto samples =
        some_of(parts_->val.samples(), static_cast<std::size_t>(2 * thread_count()) * predictor.batch_size());
    auto as_many = paths_of(samples);
    as_many.resize(images, as_many.front());
    const Stopwatch compiling;
    const Predictor fast =
        with_engine(predictor, parts_->network.backbone(), as_many, [](const auto&) {}).value_or(predictor);
    const double compiled = compiling.seconds();
    const Stopwatch watch;
    probabilities_of(fast, samples, thread_count(), [](std::size_t) {});
    return compiled + watch.seconds() * static_cast<double>(images) / static_cast<double>(samples.size());
  }

  static constexpr std::size_t kExported = 8;  // as many as example_rows gives

  RunSpec spec_;
  PlanListener listener_;
  WorkFolder folder_;
  std::optional<PreparedRun> parts_;
  std::optional<TimedImages> train_, val_;
};

}  // namespace

RunCost plan_run(RunSpec spec, const PlanListener& listener) { return RunTiming(std::move(spec), listener).measure(); }

}  // namespace graft
