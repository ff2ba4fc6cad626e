#include "graft/train/trainer.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <cmath>
#include <optional>

#include "graft/core/device.h"
#include "graft/core/error.h"
#include "graft/core/random.h"
#include "graft/core/runtime.h"
#include "graft/train/batch_statistics.h"
#include "graft/train/best_epochs.h"
#include "graft/train/checkpoint.h"
#include "graft/train/diagnosis.h"
#include "graft/train/evaluate.h"
#include "graft/train/export_run.h"
#include "graft/train/findings.h"
#include "graft/train/fit_head.h"
#include "graft/train/full_batch.h"
#include "graft/train/prepared_run.h"
#include "graft/train/progress.h"
#include "graft/train/run_folder.h"
#include "graft/train/run_log.h"
#include "graft/train/stopwatch.h"
#include "graft/train/stored_run.h"
#include "graft/train/take_gradient.h"
#include "graft/train/task.h"
#include "graft/train/tensorboard.h"
#include "graft/train/training_samples.h"

namespace graft {

class Trainer::Run {
 public:
  explicit Run(RunSpec spec) : spec_(std::move(spec)), folder_(spec_.folder) { add_observer(log_); }
  explicit Run(StoredRun stored) : Run(stored.spec) {
    memory_ = stored.last.state.at("memory").get<std::size_t>();
    progress_ = stored.progress;
    before_ = stored.progress;
    resumed_ = std::move(stored);
  }

  void add_observer(std::shared_ptr<Observer> observer) { observers_.push_back(std::move(observer)); }

  RunResult run(const std::stop_token& stop) {
    stop_ = stop;
    watch_ = {};
    load();
    if (!resumed_) start_folder();
    log_->open(folder_.log());
    while (progress_.phase < recipe().phases.size())
      if (!run_phase()) return {};
    count_time();
    const ModelSource best{spec_.recipe,
                           spec_.backbone_facts,
                           parts().dataset,
                           best_.of_run(),
                           parts().network,
                           "fp32",
                           spec_.environment.trust,
                           parts().val_features(frozen_progress(), {})};
    return {true, export_run(best, progress_, parts().network.trained_parameters(parts().selections), folder_,
                             [&](const std::string& text) { message(text); })};
  }

 private:
  const Recipe& recipe() const { return spec_.recipe; }

  template <typename... Arguments>
  void tell(void (Observer::*event)(Arguments...), std::type_identity_t<Arguments>... arguments) {
    for (const auto& observer : observers_) (observer.get()->*event)(arguments...);
  }
  void message(const std::string& text) { tell(&Observer::on_message, text); }
  FrozenProgress frozen_progress() {
    return [this](std::size_t done, std::size_t total) { tell(&Observer::on_frozen_progress, done, total); };
  }
  FrozenProgress teacher_progress() {
    return [this](std::size_t done, std::size_t total) { tell(&Observer::on_teacher_progress, done, total); };
  }

  void load() {
    set_thread_count(recipe().threads);
    const c10::Device device = resolve_device(recipe().device);
    if (!spec_.preset_reason.empty()) message("preset " + recipe().preset + ": " + spec_.preset_reason);
    check_backbone_file(recipe());
    prepared_.emplace(
        spec_, device, memory_,
        PreparedRun::Listener{[this](const std::string& text) { message(text); },
                              [this](const SkippedImage& image) { tell(&Observer::on_skipped_image, image); }},
        progress_.phase);
    if (resumed_) restore();
  }

  PreparedRun& parts() { return *prepared_; }

  void start_folder() {
    folder_.create();
    message("run folder: " + folder_.path().string());
    try {
      folder_.write_recipe(to_json(recipe(), std::filesystem::absolute(folder_.path())));
      folder_.write_split(parts().dataset);
      folder_.write_skipped(parts().dataset);
      save();
    } catch (...) {
      folder_.abandon();
      throw;
    }
  }

  /// Adds what this process has spent to what those before it had.
  void count_time() {
    progress_.seconds = before_.seconds + watch_.seconds();
    progress_.feature_seconds = before_.feature_seconds + parts().filling_seconds();
  }

  void save() {
    count_time();
    const auto base = std::filesystem::absolute(folder_.path());
    Checkpoint checkpoint;
    checkpoint.state = {{"recipe", to_json(recipe(), base)},
                        {"data", std::filesystem::absolute(spec_.data).lexically_proximate(base).generic_string()},
                        {"backbone_facts", spec_.backbone_facts},
                        {"data_sha256", digest_of(parts().dataset)},
                        {"threads", thread_count()},
                        {"memory", parts().memory},
                        {"ways", parts().ways()},
                        {"progress", to_json(progress_)}};
    checkpoint.put("network", parts().tensors());
    if (optimizer_) checkpoint.put("optimizer", optimizer_->state());
    if (average_) checkpoint.put("average", average_->tensors());
    best_.put_into(checkpoint, progress_);
    best_.save_before_last(folder_, progress_);
    save_checkpoint(folder_.last_checkpoint(), checkpoint);
    best_.save_behind_last(folder_);
    folder_.write_history(progress_.history);
    since_save_ = {};
  }

  void restore() {
    check_same_data(*resumed_, parts().dataset);
    parts().use_ways(resumed_->last.state.at("ways"));
    restore_tensors(parts().tensors(), resumed_->last.under("network"),
                    "checkpoint '" + folder_.last_checkpoint().string() + "'");
    best_.restore(folder_, *resumed_);
    folder_.write_history(progress_.history);
    const bool trained = progress_.phase == recipe().phases.size();
    message(trained ? "going on with the export"
                    : c10::str("going on with phase '", phase().name, "' epoch ", progress_.epoch + 1));
  }

  const Phase& phase() const { return recipe().phases[progress_.phase]; }

  /// Before the first step of the run. False when a stop was asked for.
  bool prepare_head() {
    if (!progress_.at_start()) return true;
    return fit_head(parts().network, recipe().head, parts().train, recipe().batch_size, frozen_progress(), stop_);
  }

  /// False when a stop was asked for.
  bool begin_phase() {
    parts().begin_phase(progress_.phase);
    if (!prepare_head()) return false;
    const Network& network = parts().network;
    const auto& samples = parts().train.samples();
    const auto class_counts = parts().dataset.class_counts(Split::kTrain);
    const bool full_batch = phase().optimizer.full_batch();
    if (!full_batch) optimizer_ = make_optimizer(phase().optimizer, network.parameter_groups(phase().layer_lr_decay));
    if (optimizer_) penalty_.emplace(phase().penalty, optimizer_->groups(), parts().pretrained);
    if (optimizer_ && resumed_) optimizer_->load_state(resumed_->last.under("optimizer"));
    epoch_batches_.emplace(recipe().balance, samples, class_counts, recipe().batch_size * phase().accumulate);
    steps_per_epoch_ = full_batch ? 1 : epoch_batches_->steps();
    if (phase().average.averages()) average_.emplace(phase().average, parts().tensors(), steps_per_epoch_);
    if (average_ && resumed_) average_->restore(resumed_->last.under("average"));
    resumed_.reset();
    if (!parts().ask_teacher(teacher_progress(), stop_)) return false;
    loss_ = parts().training_loss();
    diagnosis_.begin_phase(recipe(), progress_.phase, parts().network, std::ssize(class_counts), steps_per_epoch_);
    tell(&Observer::on_phase,
         PhaseRecord{progress_.phase, recipe().phases.size(), phase().name, phase().epochs,
                     network.backbone().boundary_name(network.boundary()), network.trained_parameters(),
                     network.frozen_parameters(), parts().plan_text()});
    return true;
  }

  /// Runs the rest of a phase. False when a stop was asked for.
  bool run_phase() {
    if (!begin_phase()) return stopped();
    if (progress_.at_start()) parts().start_head(epoch_order().front(), frozen_progress(), stop_);
    while (progress_.epoch < phase().epochs && !out_of_patience()) {
      const Stopwatch watch;
      const double filled = parts().filling_seconds();
      schedule_ = make_schedule(phase().schedule, phase().optimizer.lr(),
                                {phase().epochs, steps_per_epoch_, measured_so_far()});
      const bool trained = phase().optimizer.full_batch() ? train_on_all() : train_epoch();
      const auto metrics = trained ? validate() : std::nullopt;
      progress_.epoch_seconds += watch.seconds();
      if (!metrics) return stopped();
      const double filling = parts().filling_seconds() - filled;
      if (const auto caching = parts().caching_text(watch.seconds() - filling); !caching.empty()) message(caching);
      record_epoch(*metrics);
      progress_.start_epoch(progress_.epoch + 1);
      if (since_save_.seconds() >= spec_.environment.seconds_between_checkpoints) save();
    }
    diagnosis_.end_phase(progress_.history);
    // The last phase leaves its last epoch in last.pt: what is exported by default is in best.pt.
    if (progress_.phase + 1 < recipe().phases.size()) {
      restore_tensors(parts().tensors(), best_.of_phase(), "best tensors of phase '" + phase().name + "'");
      average_.reset();
    }
    parts().end_phase();
    best_.end_phase();
    optimizer_.reset();
    progress_.start_phase(progress_.phase + 1);
    save();
    return true;
  }

  Measured measured_so_far() const {
    const std::string& metric = recipe().stop.metric;
    return {values_of(progress_.history, phase().name, metric), is_better(metric, 1, 0)};
  }

  bool out_of_patience() const {
    return recipe().stop.patience > 0 && progress_.epochs_without_better >= recipe().stop.patience;
  }

  bool stopped() {
    save();
    return false;
  }

  /// Of the phase, counted from 0.
  std::int64_t step_of_phase() const { return progress_.epoch * steps_per_epoch_ + progress_.step; }
  Mixing mixing() const { return mixing_of(recipe(), progress_.phase); }

  Batches epoch_order() const {
    return (*epoch_batches_)(
        derive_seed(recipe().seed, "order", progress_.phase, static_cast<std::uint64_t>(progress_.epoch)));
  }

  bool train_epoch() {
    const Batches all = epoch_order();
    const Batches rest(all.begin() + progress_.step, all.end());
    parts().network.train();
    parts().train.for_each_batch(
        rest, static_cast<std::uint64_t>(progress_.epoch),
        [&](at::Tensor activations, const auto& rows) { train_step(std::move(activations), rows); }, frozen_progress(),
        stop_, mixing().of_images(step_of_phase()));
    return progress_.step == steps_per_epoch_;
  }

  /// An epoch of one step, which takes all images. False when a stop was asked for: what there was stays.
  bool train_on_all() {
    if (progress_.step == steps_per_epoch_) return true;
    const at::Tensor features =
        all_features(parts().network, parts().train, recipe().batch_size, phase(), frozen_progress(), stop_);
    if (stop_.stop_requested()) return false;
    const auto fit = train_full_batch(parts().network.head(), recipe().head,
                                      {features, loss_.targets.to(parts().network.device()), loss_.weights}, loss_.loss,
                                      phase(), stop_);
    if (!fit) return false;
    message(text_of(*fit));
    progress_.loss_images = static_cast<std::int64_t>(parts().train.samples().size());
    progress_.loss_sum = fit->loss * static_cast<double>(progress_.loss_images);
    tell(&Observer::on_step, ++progress_.step, steps_per_epoch_);
    return true;
  }

  void train_step(at::Tensor activations, const std::vector<std::int64_t>& rows) {
    const std::int64_t step = step_of_phase();
    const at::Tensor index = torch::tensor(rows);
    if (diagnosis_.wants_batch()) diagnosis_.see_batch(activations, loss_.targets.index_select(0, index));
    const double value = take_gradient({parts().network, *optimizer_, loss_, *penalty_, recipe().batch_size}, mixing(),
                                       step, std::move(activations), index);
    if (!std::isfinite(value))
      throw not_finite(c10::str("phase '", phase().name, "' epoch ", progress_.epoch + 1, " step ", progress_.step + 1),
                       optimizer_->groups(), folder_.last_checkpoint());
    diagnosis_.see_loss(value);
    diagnosis_.before_update(optimizer_->groups(), progress_.step);
    clip_gradients(phase().clip, optimizer_->groups());
    optimizer_->step(schedule_(step));
    diagnosis_.after_update(optimizer_->groups());
    if (average_) average_->update(step + 1);
    progress_.loss_sum += value * static_cast<double>(rows.size());
    progress_.loss_images += static_cast<std::int64_t>(rows.size());
    ++progress_.step;
    tell(&Observer::on_step, progress_.step, steps_per_epoch_);
  }

  /// The figures of the weights that the phase keeps; nothing when a stop was asked for.
  std::optional<Metrics> validate() {
    if (!average_) return measure();
    average_->exchange();
    const auto metrics = estimate_statistics() ? measure() : std::nullopt;
    average_->exchange();
    return metrics;
  }

  /// Of averaged weights that have none of their own. False when a stop was asked for.
  bool estimate_statistics() {
    const auto epoch = static_cast<std::uint64_t>(progress_.epoch);
    if (!phase().average.lacks_statistics(progress_.epoch + 1)) return true;
    seed_torch(derive_seed(recipe().seed, "statistics", progress_.phase, epoch));
    return update_batch_statistics(parts().network, parts().train, recipe().batch_size, epoch, frozen_progress(),
                                   stop_);
  }

  std::optional<Metrics> measure() {
    torch::NoGradGuard no_grad;
    parts().network.eval();
    std::vector<at::Tensor> rows;
    std::int64_t done = 0;
    parts().val.for_each_batch(
        batches_in_order(parts().val.samples().size(), recipe().batch_size), 0,
        [&](at::Tensor activations, const auto& batch) {
          const at::Tensor features = parts().network.features(std::move(activations));
          diagnosis_.see_features(features, done);
          const at::Tensor outputs = parts().network.head().forward({features}).toTensor().to(at::kCPU, at::kFloat);
          rows.push_back(parts().answer.forward({outputs}).toTensor());
          done += static_cast<std::int64_t>(batch.size());
        },
        frozen_progress(), stop_);
    if (done != static_cast<std::int64_t>(parts().val.samples().size())) return std::nullopt;
    return task_row(recipe().task)
        .measure(at::cat(rows), labels_of(parts().val.samples()), parts().dataset.classes, {recipe().stop.metric});
  }

  void record_epoch(const Metrics& metrics) {
    const double value = metrics.figure(recipe().stop.metric);
    const bool best =
        best_.offer(average_ ? average_->tensors() : parts().tensors(), recipe().stop.metric, value, progress_);
    const auto images = static_cast<double>(parts().train.samples().size() + parts().val.samples().size());
    const EpochRecord record{progress_.phase,
                             phase().name,
                             progress_.epoch,
                             phase().epochs,
                             schedule_((progress_.epoch + 1) * steps_per_epoch_ - 1).lr,
                             progress_.loss_sum / static_cast<double>(progress_.loss_images),
                             metrics,
                             best,
                             progress_.epoch_seconds};
    progress_.history.push_back({{"phase", record.phase_name},
                                 {"epoch", record.epoch + 1},
                                 {"step", steps_before() + steps_per_epoch_},
                                 {"lr", learning_rates(record.learning_rate)},
                                 {"train_loss", record.train_loss}});
    Json& written = progress_.history.back();
    for (const auto& [name, figure] : metrics.figures) written["val_" + name] = figure;
    written.update({{"best", best}, {"seconds", record.seconds}, {"images_per_second", images / record.seconds}});
    events_.write(written);
    folder_.show_history(progress_.history);
    tell(&Observer::on_epoch, record);
  }

  /// Steps of all epochs that have ended.
  std::int64_t steps_before() const {
    return progress_.history.empty() ? 0 : progress_.history.back().at("step").get<std::int64_t>();
  }

  Json learning_rates(double lr) {
    Json rates;
    for (const auto& [place, scale] : parts().network.lr_scales(phase().layer_lr_decay)) rates[place] = lr * scale;
    return rates;
  }

  RunSpec spec_;
  RunFolder folder_;
  std::optional<StoredRun> resumed_;
  std::shared_ptr<RunLog> log_ = std::make_shared<RunLog>();
  TensorBoardEvents events_{folder_.new_events()};
  std::vector<std::shared_ptr<Observer>> observers_;
  Stopwatch watch_;
  Stopwatch since_save_;
  std::stop_token stop_;

  std::size_t memory_ = 0;  // as a checkpoint has it; 0 of a new run
  std::optional<PreparedRun> prepared_;
  Progress progress_;
  Progress before_;  // as the process before this one left it
  Diagnosis diagnosis_{progress_.diagnosis, [this](const std::string& line) { message(line); }};
  BestEpochs best_;
  std::unique_ptr<Optimizer> optimizer_;
  std::optional<Penalty> penalty_;
  std::optional<WeightAverage> average_;
  Schedule schedule_;
  TrainingLoss loss_;
  std::optional<EpochBatches> epoch_batches_;
  std::int64_t steps_per_epoch_ = 0;

  friend class Trainer;
};

Trainer::Trainer(RunSpec spec) : run_(std::make_unique<Run>(std::move(spec))) {}
Trainer::Trainer(std::unique_ptr<Run> run) : run_(std::move(run)) {}
Trainer::~Trainer() = default;
Trainer::Trainer(Trainer&&) noexcept = default;
Trainer& Trainer::operator=(Trainer&&) noexcept = default;

Trainer Trainer::resume(const std::filesystem::path& folder, RunEnvironment environment) {
  const RunFolder files(folder);
  StoredRun stored = read_stored_run(files, std::move(environment));
  if (std::filesystem::exists(files.model()) && std::filesystem::exists(files.metrics()))
    throw Error({"run '" + folder.string() + "'", "is finished", "a run that was stopped",
                 "its model is " + files.model().string()});
  return Trainer(std::make_unique<Run>(std::move(stored)));
}

void Trainer::add_observer(std::shared_ptr<Observer> observer) { run_->add_observer(std::move(observer)); }

RunResult Trainer::run(std::stop_token stop) { return run_->run(stop); }

}  // namespace graft
