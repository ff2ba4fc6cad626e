#include "graft/train/trainer.h"

#include <torch/torch.h>

#include <chrono>
#include <cmath>
#include <numeric>
#include <optional>

#include "graft/core/device.h"
#include "graft/core/error.h"
#include "graft/core/files.h"
#include "graft/core/hash.h"
#include "graft/core/random.h"
#include "graft/core/runtime.h"
#include "graft/head/build_head.h"
#include "graft/train/checkpoint.h"
#include "graft/train/export_run.h"
#include "graft/train/frozen_activations.h"
#include "graft/train/network.h"
#include "graft/train/progress.h"
#include "graft/train/run_folder.h"

namespace graft {
namespace {

using Batches = std::vector<std::vector<std::int64_t>>;

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

at::Tensor labels(const std::vector<Sample>& samples) {
  std::vector<std::int64_t> values;
  for (const auto& sample : samples) values.push_back(sample.label);
  return torch::tensor(values, at::kLong);
}

/// What the samples are and how they are split, whatever folder they lie in.
std::string digest_of(const Dataset& dataset) {
  Sha256 hash;
  for (const auto& sample : dataset.samples)
    hash.update(sample.hash + " " + std::to_string(sample.label) + " " + to_string(*sample.split) + "\n");
  return hash.hex();
}

}  // namespace

class Trainer::Run {
 public:
  explicit Run(RunSpec spec) : spec_(std::move(spec)), folder_(spec_.folder) {}
  Run(RunSpec spec, Checkpoint checkpoint) : Run(std::move(spec)) { resumed_ = std::move(checkpoint); }

  void add_observer(std::shared_ptr<Observer> observer) { observers_.push_back(std::move(observer)); }

  RunResult run(const std::stop_token& stop) {
    stop_ = stop;
    load();
    if (!resumed_) start_folder();
    while (progress_.phase < recipe().phases.size())
      if (!run_phase()) return {};
    return {true, export_run({spec_.recipe, spec_.backbone_facts, dataset_, best_, *network_, spec_.trust}, folder_,
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
    if (!resumed_) check_backbone_file();
    load_data();
    Backbone backbone = Backbone::load(recipe().backbone, recipe().backbone_options(spec_.trust));
    message(backbone.summary());
    for (const auto& note : backbone.notes()) message("note: " + note);
    auto head = build_head(recipe().head, backbone.num_features(), static_cast<std::int64_t>(dataset_.classes.size()),
                           derive_seed(recipe().seed, "initialisation"));
    network_.emplace(std::move(backbone), std::move(head), device);
    select_all();
    prepare_activations();
    if (resumed_) restore();
  }

  void check_backbone_file() const {
    if (recipe().backbone_sha256.empty()) return;
    const std::string found = sha256_file(recipe().backbone);
    if (found != recipe().backbone_sha256)
      throw Error({"backbone '" + recipe().backbone.string() + "'", "has SHA-256 " + found,
                   recipe().backbone_sha256 + ", as the recipe says", "another file, or a damaged one"});
  }

  void load_data() {
    dataset_ =
        load_dataset(spec_.data, {recipe().val, recipe().on_bad_image, thread_count(),
                                  [this](const SkippedImage& image) { tell(&Observer::on_skipped_image, image); }});
    if (dataset_.of(Split::kTrain).size() < 2)
      throw Error({"data '" + spec_.data.string() + "'", "has fewer than two training images", "at least two", ""});
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
    const FrozenActivations::Options options{recipe().activations, static_cast<std::uint64_t>(recipe().views),
                                             recipe().seed, memory_};
    const auto source = [&](Split split, const Augmentation& augmentation) {
      return ImageSource{dataset_.of(split), recipe().input, augmentation, recipe().batch_size, thread_count()};
    };
    train_.emplace(source(Split::kTrain, recipe().augment), options);
    val_.emplace(source(Split::kVal, {}), options);
  }

  void start_folder() {
    folder_.create();
    message("run folder: " + folder_.path().string());
    try {
      folder_.write_recipe(to_json(recipe(), std::filesystem::absolute(folder_.path())));
      folder_.write_split(dataset_);
      save();
    } catch (...) {
      folder_.abandon();
      throw;
    }
  }

  void save() {
    const auto base = std::filesystem::absolute(folder_.path());
    Checkpoint checkpoint;
    checkpoint.state = {{"graft_checkpoint", kCheckpointFormat},
                        {"recipe", to_json(recipe(), base)},
                        {"data", std::filesystem::absolute(spec_.data).lexically_proximate(base).generic_string()},
                        {"backbone_facts", spec_.backbone_facts},
                        {"data_sha256", digest_of(dataset_)},
                        {"threads", thread_count()},
                        {"memory", memory_},
                        {"progress", to_json(progress_)}};
    checkpoint.put("network", tensors());
    if (optimizer_) checkpoint.put("optimizer", optimizer_->state());
    checkpoint.put("best", best_);
    checkpoint.put("phase_best", phase_best_);
    save_checkpoint(folder_.checkpoint(), checkpoint);
    folder_.write_history(progress_.history);
  }

  void restore() {
    const std::string subject = "checkpoint '" + folder_.checkpoint().string() + "'";
    if (resumed_->state.at("data_sha256").get<std::string>() != digest_of(dataset_))
      throw Error({"data '" + spec_.data.string() + "'", "has changed since the run was started",
                   "the same images, labels and split", "start a new run"});
    progress_ = read_progress(resumed_->state.at("progress"));
    restore_tensors(tensors(), resumed_->under("network"), subject);
    best_ = resumed_->under("best");
    phase_best_ = resumed_->under("phase_best");
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
    train_->prepare(network_->backbone(), network_->boundary(), shared_boundary());
    val_->prepare(network_->backbone(), network_->boundary(), shared_boundary());
    optimizer_ = make_optimizer(phase().optimizer, network_->parameter_groups(phase().layer_lr_decay));
    if (resumed_) optimizer_->load_state(resumed_->under("optimizer"));
    resumed_.reset();
    loss_ = make_loss(recipe().loss);
    steps_per_epoch_ =
        static_cast<std::int64_t>(shuffled_batches(train_->samples().size(), recipe().batch_size, 0).size());
    schedule_ = make_schedule(phase().schedule, phase().optimizer.lr(), {phase().epochs, steps_per_epoch_});
    targets_ = labels(train_->samples());
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
                    (train_->planned_bytes() + val_->planned_bytes() + 524288) / 1048576, " MB kept");
  }

  /// Runs the rest of a phase. False when a stop was asked for.
  bool run_phase() {
    begin_phase();
    while (progress_.epoch < phase().epochs && !out_of_patience()) {
      const auto start = std::chrono::steady_clock::now();
      if (!train_epoch()) return stopped();
      const auto metrics = validate();
      if (!metrics) return stopped();
      record_epoch(*metrics, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
      progress_.start_epoch(progress_.epoch + 1);
      save();
    }
    restore_tensors(tensors(), phase_best_, "best tensors of phase '" + phase().name + "'");
    train_->trained_above(network_->boundary());
    val_->trained_above(network_->boundary());
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
    return classification_metrics(at::cat(rows), labels(val_->samples()), dataset_.classes);
  }

  void record_epoch(const ClassificationMetrics& metrics, double seconds) {
    const double value = metric_of(metrics, recipe().stop.metric);
    const auto improve = [&](Best& best, std::map<std::string, at::Tensor>& kept) {
      if (best.known && !is_better(recipe().stop.metric, value, best.value)) return false;
      best = {true, value, progress_.phase, progress_.epoch};
      kept = copy_tensors(tensors());
      return true;
    };
    const bool best = improve(progress_.best, best_);
    progress_.epochs_without_better =
        improve(progress_.phase_best, phase_best_) ? 0 : progress_.epochs_without_better + 1;
    const EpochRecord record{progress_.phase,
                             phase().name,
                             progress_.epoch,
                             phase().epochs,
                             schedule_((progress_.epoch + 1) * steps_per_epoch_ - 1).lr,
                             progress_.loss_sum / static_cast<double>(progress_.loss_images),
                             metrics,
                             best,
                             seconds};
    progress_.history.push_back({{"phase", record.phase_name},
                                 {"epoch", record.epoch + 1},
                                 {"learning_rate", record.learning_rate},
                                 {"train_loss", record.train_loss},
                                 {"val_loss", metrics.loss},
                                 {"val_accuracy", metrics.accuracy},
                                 {"val_balanced_accuracy", metrics.balanced_accuracy},
                                 {"val_macro_f1", metrics.macro_f1},
                                 {"best", best},
                                 {"seconds", seconds}});
    tell(&Observer::on_epoch, record);
  }

  RunSpec spec_;
  RunFolder folder_;
  std::optional<Checkpoint> resumed_;
  std::vector<std::shared_ptr<Observer>> observers_;
  std::stop_token stop_;

  Dataset dataset_;
  std::optional<Network> network_;
  std::vector<TrainSelection> selections_;  // one a phase
  std::optional<FrozenActivations> train_;
  std::optional<FrozenActivations> val_;
  std::size_t memory_ = 0;

  Progress progress_;
  std::map<std::string, at::Tensor> best_;
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

Trainer Trainer::resume(const std::filesystem::path& folder, Trust trust) {
  const RunFolder files(folder);
  const std::string subject = "run '" + folder.string() + "'";
  if (!std::filesystem::exists(files.checkpoint()))
    throw Error({subject, "holds no checkpoint.pt", "the folder of a run", ""});
  if (std::filesystem::exists(files.model()) && std::filesystem::exists(files.metrics()))
    throw Error({subject, "is finished", "a run that was stopped", "its model is " + files.model().string()});
  Checkpoint checkpoint = load_checkpoint(files.checkpoint());
  RunSpec spec;
  spec.folder = folder;
  spec.trust = trust;
  spec.recipe = read_recipe(checkpoint.state.at("recipe"), folder);
  spec.recipe.threads = checkpoint.state.at("threads").get<int>();
  spec.data = (folder / checkpoint.state.at("data").get<std::string>()).lexically_normal();
  spec.backbone_facts = checkpoint.state.at("backbone_facts");
  const auto memory = checkpoint.state.at("memory").get<std::size_t>();
  auto run = std::make_unique<Run>(std::move(spec), std::move(checkpoint));
  run->memory_ = memory;
  return Trainer(std::move(run));
}

void Trainer::add_observer(std::shared_ptr<Observer> observer) { run_->add_observer(std::move(observer)); }

RunResult Trainer::run(std::stop_token stop) { return run_->run(stop); }

}  // namespace graft
