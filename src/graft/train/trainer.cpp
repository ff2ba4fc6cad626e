#include "graft/train/trainer.h"

#include <torch/torch.h>

#include <cmath>
#include <optional>

#include "graft/core/device.h"
#include "graft/core/error.h"
#include "graft/core/random.h"
#include "graft/core/runtime.h"
#include "graft/train/best_epochs.h"
#include "graft/train/checkpoint.h"
#include "graft/train/diagnosis.h"
#include "graft/train/evaluate.h"
#include "graft/train/export_run.h"
#include "graft/train/findings.h"
#include "graft/train/full_batch.h"
#include "graft/train/prepared_run.h"
#include "graft/train/progress.h"
#include "graft/train/run_folder.h"
#include "graft/train/run_log.h"
#include "graft/train/stopwatch.h"
#include "graft/train/stored_run.h"
#include "graft/train/training_samples.h"

namespace graft {
namespace {

constexpr int kCheckpointFormat = 1;

}  // namespace

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
    const ModelSource best{spec_.recipe, spec_.backbone_facts,   parts().dataset, best_.of_run(), parts().network,
                           "fp32",       spec_.environment.trust};
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

  void load() {
    set_thread_count(recipe().threads);
    const c10::Device device = resolve_device(recipe().device);
    if (!spec_.preset_reason.empty()) message("preset " + recipe().preset + ": " + spec_.preset_reason);
    if (!resumed_) check_backbone_file(recipe());
    prepared_.emplace(
        spec_, device, memory_,
        PreparedRun::Listener{[this](const std::string& text) { message(text); },
                              [this](const SkippedImage& image) { tell(&Observer::on_skipped_image, image); }});
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
    checkpoint.state = {{"graft_checkpoint", kCheckpointFormat},
                        {"recipe", to_json(recipe(), base)},
                        {"data", std::filesystem::absolute(spec_.data).lexically_proximate(base).generic_string()},
                        {"backbone_facts", spec_.backbone_facts},
                        {"data_sha256", digest_of(parts().dataset)},
                        {"threads", thread_count()},
                        {"memory", parts().memory},
                        {"engines", parts().engines.plans()},
                        {"progress", to_json(progress_)}};
    checkpoint.put("network", parts().tensors());
    if (optimizer_) checkpoint.put("optimizer", optimizer_->state());
    if (average_) checkpoint.put("average", average_->tensors());
    best_.put_into(checkpoint, progress_);
    save_checkpoint(folder_.last_checkpoint(), checkpoint);
    best_.save(folder_, progress_);
    folder_.write_history(progress_.history);
  }

  void restore() {
    check_same_data(*resumed_, parts().dataset);
    parts().engines.use_plans(resumed_->last.state.at("engines"));
    restore_tensors(parts().tensors(), resumed_->last.under("network"),
                    "checkpoint '" + folder_.last_checkpoint().string() + "'");
    best_.restore(folder_, *resumed_);
    const bool trained = progress_.phase == recipe().phases.size();
    message(trained ? "going on with the export"
                    : c10::str("going on with phase '", phase().name, "' epoch ", progress_.epoch + 1));
  }

  const Phase& phase() const { return recipe().phases[progress_.phase]; }

  void begin_phase() {
    parts().begin_phase(progress_.phase);
    const Network& network = parts().network;
    const auto& samples = parts().train.samples();
    const auto class_counts = parts().dataset.class_counts(Split::kTrain);
    const bool full_batch = phase().optimizer.full_batch();
    if (!full_batch) optimizer_ = make_optimizer(phase().optimizer, network.parameter_groups(phase().layer_lr_decay));
    if (optimizer_ && resumed_) optimizer_->load_state(resumed_->last.under("optimizer"));
    if (phase().average.averages()) average_.emplace(phase().average, parts().tensors());
    if (average_ && resumed_) average_->restore(resumed_->last.under("average"));
    resumed_.reset();
    loss_ = make_loss(recipe().loss, class_counts);
    epoch_batches_.emplace(recipe().balance, samples, class_counts, recipe().batch_size * phase().accumulate);
    steps_per_epoch_ = full_batch ? 1 : epoch_batches_->steps();
    schedule_ = make_schedule(phase().schedule, phase().optimizer.lr(), {phase().epochs, steps_per_epoch_});
    targets_ = labels_of(samples);
    weights_ = loss_weights(recipe().balance, samples, class_counts);
    diagnosis_.begin_phase(recipe(), progress_.phase, parts().network, std::ssize(class_counts), steps_per_epoch_);
    tell(&Observer::on_phase,
         PhaseRecord{progress_.phase, recipe().phases.size(), phase().name, phase().epochs,
                     network.backbone().boundary_name(network.boundary()), network.trained_parameters(),
                     network.frozen_parameters(), parts().plan_text()});
  }

  /// Runs the rest of a phase. False when a stop was asked for.
  bool run_phase() {
    begin_phase();
    while (progress_.epoch < phase().epochs && !out_of_patience()) {
      const Stopwatch watch;
      const bool trained = phase().optimizer.full_batch() ? train_on_all() : train_epoch();
      const auto metrics = trained ? validate() : std::nullopt;
      progress_.epoch_seconds += watch.seconds();
      if (!metrics) return stopped();
      record_epoch(*metrics);
      progress_.start_epoch(progress_.epoch + 1);
      save();
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

  bool out_of_patience() const {
    return recipe().stop.patience > 0 && progress_.epochs_without_better >= recipe().stop.patience;
  }

  bool stopped() {
    save();
    return false;
  }

  bool train_epoch() {
    const Batches all = (*epoch_batches_)(
        derive_seed(recipe().seed, "order", progress_.phase, static_cast<std::uint64_t>(progress_.epoch)));
    const Batches rest(all.begin() + progress_.step, all.end());
    parts().network.train();
    parts().train.for_each_batch(
        rest, static_cast<std::uint64_t>(progress_.epoch),
        [&](const at::Tensor& activations, const auto& rows) { train_step(activations, rows); },
        [&](std::size_t done, std::size_t total) { tell(&Observer::on_frozen_progress, done, total); }, stop_);
    return progress_.step == steps_per_epoch_;
  }

  /// An epoch of one step, which takes all images. False when a stop was asked for: what there was stays.
  bool train_on_all() {
    if (progress_.step == steps_per_epoch_) return true;
    const at::Tensor features = all_features();
    if (stop_.stop_requested()) return false;
    const auto fit =
        train_full_batch(parts().network.head(), recipe().head,
                         {features, targets_.to(parts().network.device()), weights_}, loss_, phase(), stop_);
    if (!fit) return false;
    message(text_of(*fit));
    progress_.loss_images = static_cast<std::int64_t>(parts().train.samples().size());
    progress_.loss_sum = fit->loss * static_cast<double>(progress_.loss_images);
    tell(&Observer::on_step, ++progress_.step, steps_per_epoch_);
    return true;
  }

  /// [N, num_features], of the training images; fewer when a stop was asked for.
  at::Tensor all_features() {
    if (!parts().train.keeps())
      throw Error({"phase '" + phase().name + "'", "needs the features of all images, and there is no room for them",
                   "room for them in memory or on the disk", "an optimizer of single steps streams them"});
    std::vector<at::Tensor> rows{at::empty({0, parts().network.backbone().num_features()}, parts().network.device())};
    parts().train.for_each_batch(
        batches_in_order(parts().train.samples().size(), recipe().batch_size), 0,
        [&](const at::Tensor& batch, const auto&) { rows.push_back(batch.to(parts().network.device())); },
        [&](std::size_t done, std::size_t total) { tell(&Observer::on_frozen_progress, done, total); }, stop_);
    return at::cat(rows);
  }

  void train_step(const at::Tensor& activations, const std::vector<std::int64_t>& rows) {
    const std::int64_t step = progress_.epoch * steps_per_epoch_ + progress_.step;
    seed_torch(derive_seed(recipe().seed, "dropout", progress_.phase, static_cast<std::uint64_t>(step)));
    const at::Tensor index = torch::tensor(rows);
    const double weight = weight_of(index);
    double value = 0;
    if (diagnosis_.wants_batch()) diagnosis_.see_batch(activations, targets_.index_select(0, index));
    optimizer_->zero_grad();
    for (const auto& part : paired_batches(rows.size(), recipe().batch_size)) {
      const auto size = static_cast<std::int64_t>(part.size());
      const at::Tensor of_part = index.narrow(0, part.front(), size);
      value += add_gradient(activations.narrow(0, part.front(), size), of_part, weight_of(of_part) / weight);
    }
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

  /// What some training images count in the loss.
  double weight_of(const at::Tensor& index) const {
    return weights_.of(index).counts(targets_.index_select(0, index), at::kDouble).sum().item<double>();
  }

  /// Adds `part` of the gradient of some training images' loss. @returns that part of the loss
  double add_gradient(const at::Tensor& activations, const at::Tensor& index, double part) {
    const at::Tensor loss =
        part * loss_(parts().network.logits(activations), targets_.index_select(0, index).to(parts().network.device()),
                     weights_.of(index));
    const double value = loss.item<double>();
    if (!std::isfinite(value))
      throw not_finite(c10::str("phase '", phase().name, "' epoch ", progress_.epoch + 1, " step ", progress_.step + 1),
                       optimizer_->groups(), folder_.last_checkpoint());
    loss.backward();
    return value;
  }

  /// The figures of the weights that the phase keeps; nothing when a stop was asked for.
  std::optional<ClassificationMetrics> validate() {
    if (!average_) return measure();
    average_->exchange();
    const auto metrics = measure();
    average_->exchange();
    return metrics;
  }

  std::optional<ClassificationMetrics> measure() {
    torch::NoGradGuard no_grad;
    parts().network.eval();
    std::vector<at::Tensor> rows;
    std::int64_t done = 0;
    parts().val.for_each_batch(
        batches_in_order(parts().val.samples().size(), recipe().batch_size), 0,
        [&](at::Tensor activations, const auto& batch) {
          const at::Tensor features = parts().network.features(std::move(activations));
          diagnosis_.see_features(features, done);
          rows.push_back(at::softmax(parts().network.head().forward({features}).toTensor().to(at::kFloat), 1).cpu());
          done += static_cast<std::int64_t>(batch.size());
        },
        [&](std::size_t images, std::size_t total) { tell(&Observer::on_frozen_progress, images, total); }, stop_);
    if (done != static_cast<std::int64_t>(parts().val.samples().size())) return std::nullopt;
    return classification_metrics(at::cat(rows), labels_of(parts().val.samples()), parts().dataset.classes,
                                  {recipe().stop.metric});
  }

  void record_epoch(const ClassificationMetrics& metrics) {
    const double value = to_json(metrics).at(recipe().stop.metric).get<double>();
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
                                 {"train_loss", record.train_loss},
                                 {"val_loss", metrics.loss},
                                 {"val_accuracy", metrics.accuracy},
                                 {"val_balanced_accuracy", metrics.balanced_accuracy},
                                 {"val_macro_f1", metrics.macro_f1},
                                 {"best", best},
                                 {"seconds", record.seconds},
                                 {"images_per_second", images / record.seconds}});
    progress_.history.back()["val_" + recipe().stop.metric] = value;
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
  std::vector<std::shared_ptr<Observer>> observers_;
  Stopwatch watch_;
  std::stop_token stop_;

  std::size_t memory_ = 0;  // as a checkpoint has it; 0 of a new run
  std::optional<PreparedRun> prepared_;
  Progress progress_;
  Progress before_;  // as the process before this one left it
  Diagnosis diagnosis_{progress_.diagnosis, [this](const std::string& line) { message(line); }};
  BestEpochs best_;
  std::unique_ptr<Optimizer> optimizer_;
  std::optional<WeightAverage> average_;
  Schedule schedule_;
  Loss loss_;
  LossWeights weights_;
  at::Tensor targets_;
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
