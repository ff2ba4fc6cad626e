#include "graft/train/trainer.h"

#include <torch/torch.h>

#include <cmath>
#include <numeric>
#include <optional>

#include "graft/core/device.h"
#include "graft/core/error.h"
#include "graft/core/random.h"
#include "graft/core/runtime.h"
#include "graft/head/build_head.h"
#include "graft/train/checkpoint.h"
#include "graft/train/evaluate.h"
#include "graft/train/export_run.h"
#include "graft/train/frozen_activations.h"
#include "graft/train/network.h"
#include "graft/train/progress.h"
#include "graft/train/run_folder.h"
#include "graft/train/run_log.h"
#include "graft/train/stopwatch.h"
#include "graft/train/stored_run.h"

namespace graft {
namespace {

constexpr int kCheckpointFormat = 1;

double metric_of(const ClassificationMetrics& metrics, const std::string& name) {
  if (name == "loss") return metrics.loss;
  if (name == "balanced_accuracy") return metrics.balanced_accuracy;
  return name == "macro_f1" ? metrics.macro_f1 : metrics.accuracy;
}

/// A shuffled epoch. A last batch of one image joins the one before it: batch statistics need two.
Batches shuffled_batches(std::size_t count, std::int64_t batch_size, std::uint64_t seed) {
  Batches batches = batches_in_order(count, batch_size);
  std::vector<std::int64_t> order(count);
  std::iota(order.begin(), order.end(), std::int64_t{0});
  RandomStream(seed).shuffle(order);
  for (auto& batch : batches)
    for (auto& row : batch) row = order[static_cast<std::size_t>(row)];
  if (batches.size() > 1 && batches.back().size() == 1) {
    batches[batches.size() - 2].push_back(batches.back()[0]);
    batches.pop_back();
  }
  return batches;
}

/// Each class's weight n / (classes * images of the class), scikit-learn's "balanced".
at::Tensor class_weights(const std::vector<Sample>& samples, std::size_t classes) {
  std::vector<double> counts(classes, 0);
  for (const auto& sample : samples) ++counts[static_cast<std::size_t>(sample.label)];
  std::vector<double> weights;
  for (const double count : counts)
    weights.push_back(static_cast<double>(samples.size()) / (static_cast<double>(classes) * count));
  return torch::tensor(weights, at::kFloat);
}

at::Tensor sample_weights(const std::vector<Sample>& samples) {
  std::vector<double> weights;
  bool all_one = true;
  for (const auto& sample : samples) weights.push_back(sample.weight), all_one = all_one && sample.weight == 1;
  return all_one ? at::Tensor() : torch::tensor(weights, at::kFloat);
}

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
    return {true, export_run(
                      {spec_.recipe, spec_.backbone_facts, dataset_, best_, *network_, "fp32", spec_.environment.trust},
                      progress_, network_->trained_parameters(selections_), folder_,
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
    if (!resumed_) check_backbone_file(recipe());
    dataset_ = load_run_data(
        spec_, [this](const SkippedImage& image) { tell(&Observer::on_skipped_image, image); },
        [this](const std::string& text) { message(text); });
    Backbone backbone = Backbone::load(recipe().backbone, recipe().backbone_options(spec_.environment.trust));
    message(backbone.summary());
    for (const auto& note : backbone.notes()) message("note: " + note);
    auto head = build_head(recipe().head, backbone.num_features(), static_cast<std::int64_t>(dataset_.classes.size()),
                           derive_seed(recipe().seed, "initialisation"));
    network_.emplace(std::move(backbone), std::move(head), device);
    select_all();
    prepare_activations();
    if (resumed_) restore();
  }

  /// Resolves every phase's globs, so that a mistake in the last phase shows before the first.
  void select_all() {
    std::vector<Problem> problems;
    bool head_trains = false;
    for (std::size_t i = 0; i < recipe().phases.size(); ++i) {
      try {
        selections_.push_back(select_trained(recipe().phases[i].train, network_->backbone(),
                                             network_->head_parameters(), "phases[" + std::to_string(i) + "].train"));
        if (selections_.back().head.empty() && selections_.back().backbone.empty())
          problems.push_back(
              {"phases[" + std::to_string(i) + "].train", "trains nothing", "at least one parameter", ""});
        head_trains = head_trains || !selections_.back().head.empty();
        make_schedule(recipe().phases[i].schedule, recipe().phases[i].optimizer.lr(), {recipe().phases[i].epochs, 1});
      } catch (const Error& error) {
        problems.insert(problems.end(), error.problems().begin(), error.problems().end());
      }
    }
    if (problems.empty() && !head_trains)
      problems.push_back({"phases", "leave the new head untrained", "\"head\" in at least one phase's \"train\"", ""});
    if (!problems.empty()) throw Error(problems);
  }

  bool statistics_move() const {
    return std::any_of(recipe().phases.begin(), recipe().phases.end(),
                       [](const Phase& phase) { return phase.batch_norm == BatchNormStatistics::kUpdate; });
  }

  std::map<std::string, at::Tensor> tensors() const { return network_->tensors(selections_, statistics_move()); }

  void prepare_activations() {
    if (memory_ == 0) memory_ = available_memory() / 2;
    const auto say = [this](const std::string& text) { message(text); };
    const FrozenActivations::Options options{recipe().activations,
                                             static_cast<std::uint64_t>(recipe().views),
                                             recipe().seed,
                                             memory_,
                                             spec_.environment.stores,
                                             recipe().precision,
                                             say};
    const auto source = [&](Split split, const Augmentation& augmentation) {
      return ImageSource{dataset_.of(split), recipe().input, augmentation, recipe().batch_size, thread_count()};
    };
    engines_.emplace(FrozenEngines::Options{recipe().input, recipe().precision == "auto", thread_count(),
                                            spec_.environment.engine_probe, say});
    train_.emplace(source(Split::kTrain, recipe().augment), options, *engines_);
    val_.emplace(source(Split::kVal, {}), options, *engines_);
  }

  void start_folder() {
    folder_.create();
    message("run folder: " + folder_.path().string());
    try {
      folder_.write_recipe(to_json(recipe(), std::filesystem::absolute(folder_.path())));
      folder_.write_split(dataset_);
      folder_.write_skipped(dataset_);
      save();
    } catch (...) {
      folder_.abandon();
      throw;
    }
  }

  /// Adds what this process has spent to what those before it had.
  void count_time() {
    progress_.seconds = before_.seconds + watch_.seconds();
    progress_.feature_seconds = before_.feature_seconds + train_->filling_seconds() + val_->filling_seconds();
  }

  /// Nothing is written twice: last.pt leaves the best tensors to best.pt, and those of the phase where they are the
  /// same.
  void save() {
    count_time();
    const auto base = std::filesystem::absolute(folder_.path());
    Checkpoint checkpoint;
    checkpoint.state = {{"graft_checkpoint", kCheckpointFormat},
                        {"recipe", to_json(recipe(), base)},
                        {"data", std::filesystem::absolute(spec_.data).lexically_proximate(base).generic_string()},
                        {"backbone_facts", spec_.backbone_facts},
                        {"data_sha256", digest_of(dataset_)},
                        {"threads", thread_count()},
                        {"memory", memory_},
                        {"engines", engines_->plans()},
                        {"progress", to_json(progress_)}};
    checkpoint.put("network", tensors());
    if (optimizer_) checkpoint.put("optimizer", optimizer_->state());
    if (!phase_best_is_best()) checkpoint.put("phase_best", phase_best_);
    save_checkpoint(folder_.last_checkpoint(), checkpoint);
    if (best_is_new_) save_best(folder_, progress_, best_);
    best_is_new_ = false;
    folder_.write_history(progress_.history);
  }

  bool phase_best_is_best() const { return to_json(progress_.phase_best) == to_json(progress_.best); }

  void restore() {
    check_same_data(*resumed_, dataset_);
    engines_->use_plans(resumed_->last.state.at("engines"));
    restore_tensors(tensors(), resumed_->last.under("network"),
                    "checkpoint '" + folder_.last_checkpoint().string() + "'");
    best_ = best_tensors(folder_, *resumed_);
    phase_best_ = phase_best_is_best() ? best_ : resumed_->last.under("phase_best");
    if (progress_.best.known) save_best(folder_, progress_, best_);
    const bool trained = progress_.phase == recipe().phases.size();
    message(trained ? "going on with the export"
                    : c10::str("going on with phase '", phase().name, "' epoch ", progress_.epoch + 1));
  }

  const Phase& phase() const { return recipe().phases[progress_.phase]; }

  std::size_t shared_boundary() const {
    std::size_t shared = network_->boundary();
    for (std::size_t i = progress_.phase; i < selections_.size(); ++i)
      shared = std::min(shared, network_->backbone().boundary_below(selections_[i].backbone));
    return shared;
  }

  void begin_phase() {
    network_->select(selections_[progress_.phase], phase().batch_norm);
    train_->prepare(network_->backbone(), network_->boundary(), shared_boundary(), phase().epochs);
    val_->prepare(network_->backbone(), network_->boundary(), shared_boundary(), phase().epochs);
    optimizer_ = make_optimizer(phase().optimizer, network_->parameter_groups(phase().layer_lr_decay));
    if (resumed_) optimizer_->load_state(resumed_->last.under("optimizer"));
    resumed_.reset();
    loss_ = make_loss(recipe().loss);
    steps_per_epoch_ =
        static_cast<std::int64_t>(shuffled_batches(train_->samples().size(), recipe().batch_size, 0).size());
    schedule_ = make_schedule(phase().schedule, phase().optimizer.lr(), {phase().epochs, steps_per_epoch_});
    targets_ = labels_of(train_->samples());
    weights_.samples = sample_weights(train_->samples());
    weights_.classes =
        recipe().balance == "loss" ? class_weights(train_->samples(), dataset_.classes.size()) : at::Tensor();
    tell(&Observer::on_phase, PhaseRecord{progress_.phase, recipe().phases.size(), phase().name, phase().epochs,
                                          network_->backbone().boundary_name(network_->boundary()),
                                          network_->trained_parameters(), network_->frozen_parameters(), plan_text()});
  }

  std::string plan_text() const {
    if (!train_->keeps()) return "frozen layers run anew every epoch";
    return c10::str("frozen layers run once", recipe().augment.empty() ? "" : " a view", ", ",
                    (train_->planned_bytes() + val_->planned_bytes() + 524288) / 1048576, " MB kept",
                    train_->on_disk() ? " for later runs too" : "");
  }

  /// Runs the rest of a phase. False when a stop was asked for.
  bool run_phase() {
    begin_phase();
    while (progress_.epoch < phase().epochs && !out_of_patience()) {
      const Stopwatch watch;
      const bool trained = train_epoch();
      const auto metrics = trained ? validate() : std::nullopt;
      progress_.epoch_seconds += watch.seconds();
      if (!metrics) return stopped();
      record_epoch(*metrics);
      progress_.start_epoch(progress_.epoch + 1);
      save();
    }
    // The last phase leaves its last epoch in last.pt: what is exported by default is in best.pt.
    if (progress_.phase + 1 < recipe().phases.size())
      restore_tensors(tensors(), phase_best_, "best tensors of phase '" + phase().name + "'");
    train_->trained_above(network_->boundary());
    val_->trained_above(network_->boundary());
    engines_->trained_above(network_->boundary());
    phase_best_.clear();
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
    const auto all = shuffled_batches(
        train_->samples().size(), recipe().batch_size,
        derive_seed(recipe().seed, "order", progress_.phase, static_cast<std::uint64_t>(progress_.epoch)));
    const Batches rest(all.begin() + progress_.step, all.end());
    network_->train();
    train_->for_each_batch(
        rest, static_cast<std::uint64_t>(progress_.epoch),
        [&](at::Tensor activations, const auto& rows) { train_step(std::move(activations), rows); },
        [&](std::size_t done, std::size_t total) { tell(&Observer::on_frozen_progress, done, total); }, stop_);
    return progress_.step == steps_per_epoch_;
  }

  void train_step(at::Tensor activations, const std::vector<std::int64_t>& rows) {
    const std::int64_t step = progress_.epoch * steps_per_epoch_ + progress_.step;
    seed_torch(derive_seed(recipe().seed, "dropout", progress_.phase, static_cast<std::uint64_t>(step)));
    const at::Tensor index = torch::tensor(rows);
    const LossWeights weights{weights_.classes,
                              weights_.samples.defined() ? weights_.samples.index_select(0, index) : at::Tensor()};
    const at::Tensor loss = loss_(network_->logits(std::move(activations)),
                                  targets_.index_select(0, index).to(network_->device()), weights);
    const double value = loss.item<double>();
    if (!std::isfinite(value))
      throw Error({"phase '" + phase().name + "' epoch " + std::to_string(progress_.epoch + 1),
                   "the loss is no finite number", "a loss that falls", "lower the learning rate"});
    optimizer_->zero_grad();
    loss.backward();
    clip_gradients(phase().clip, optimizer_->groups());
    optimizer_->step(schedule_(step));
    progress_.loss_sum += value * static_cast<double>(rows.size());
    progress_.loss_images += static_cast<std::int64_t>(rows.size());
    ++progress_.step;
    tell(&Observer::on_step, progress_.step, steps_per_epoch_);
  }

  /// Probabilities of the validation images in their order; nothing when a stop was asked for.
  std::optional<ClassificationMetrics> validate() {
    torch::NoGradGuard no_grad;
    network_->eval();
    std::vector<at::Tensor> rows;
    std::int64_t done = 0;
    val_->for_each_batch(
        batches_in_order(val_->samples().size(), recipe().batch_size), 0,
        [&](at::Tensor activations, const auto& batch) {
          rows.push_back(at::softmax(network_->logits(std::move(activations)).to(at::kFloat), 1).cpu());
          done += static_cast<std::int64_t>(batch.size());
        },
        [&](std::size_t images, std::size_t total) { tell(&Observer::on_frozen_progress, images, total); }, stop_);
    if (done != static_cast<std::int64_t>(val_->samples().size())) return std::nullopt;
    return classification_metrics(at::cat(rows), labels_of(val_->samples()), dataset_.classes);
  }

  void record_epoch(const ClassificationMetrics& metrics) {
    const double value = metric_of(metrics, recipe().stop.metric);
    const auto improve = [&](Best& best, std::map<std::string, at::Tensor>& kept) {
      if (best.known && !is_better(recipe().stop.metric, value, best.value)) return false;
      best = {true, value, progress_.phase, progress_.epoch};
      kept = copy_tensors(tensors());
      return true;
    };
    const bool best = improve(progress_.best, best_);
    best_is_new_ = best_is_new_ || best;
    progress_.epochs_without_better =
        improve(progress_.phase_best, phase_best_) ? 0 : progress_.epochs_without_better + 1;
    const auto images = static_cast<double>(train_->samples().size() + val_->samples().size());
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
    tell(&Observer::on_epoch, record);
  }

  /// Steps of all epochs that have ended.
  std::int64_t steps_before() const {
    return progress_.history.empty() ? 0 : progress_.history.back().at("step").get<std::int64_t>();
  }

  Json learning_rates(double lr) const {
    Json rates;
    for (const auto& [place, scale] : network_->lr_scales(phase().layer_lr_decay)) rates[place] = lr * scale;
    return rates;
  }

  RunSpec spec_;
  RunFolder folder_;
  std::optional<StoredRun> resumed_;
  std::shared_ptr<RunLog> log_ = std::make_shared<RunLog>();
  std::vector<std::shared_ptr<Observer>> observers_;
  Stopwatch watch_;
  std::stop_token stop_;

  Dataset dataset_;
  std::optional<Network> network_;
  std::vector<TrainSelection> selections_;  // one a phase
  std::optional<FrozenEngines> engines_;
  std::optional<FrozenActivations> train_;
  std::optional<FrozenActivations> val_;
  std::size_t memory_ = 0;

  Progress progress_;
  Progress before_;  // as the process before this one left it
  std::map<std::string, at::Tensor> best_;
  bool best_is_new_ = false;  // since best.pt was written
  std::map<std::string, at::Tensor> phase_best_;
  std::unique_ptr<Optimizer> optimizer_;
  Schedule schedule_;
  Loss loss_;
  LossWeights weights_;
  at::Tensor targets_;
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
