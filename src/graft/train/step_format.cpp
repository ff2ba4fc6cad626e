#include "graft/train/step_format.h"

#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "graft/core/error.h"
#include "graft/core/reason.h"
#include "graft/core/runtime.h"
#include "graft/train/stopwatch.h"

namespace graft {
namespace {

struct StepFormatRow {
  StepFormat format;
  const char* name;  // that of the frozen engine, too, as which it has to agree
};

constexpr std::array kRows{StepFormatRow{StepFormat::kBfloat16, "bf16"},
                           StepFormatRow{StepFormat::kChannelsLast, "channels_last"},
                           StepFormatRow{StepFormat::kPlain, "plain"}};

constexpr int kPasses = 3;  // by which a way is timed

at::Tensor features_in(StepFormat format, Network& network, const at::Tensor& rows) {
  network.compute_in(format);
  return network.features(rows.clone()).cpu();
}

/// Of the rows, from the start again where there are fewer.
at::Tensor repeated(const at::Tensor& rows, std::int64_t count) {
  return rows.index_select(0, at::arange(count).remainder(rows.size(0)));
}

std::vector<at::Tensor> trained_tensors(const Network& network) {
  std::vector<at::Tensor> all;
  for (const auto& group : network.parameter_groups(1))
    all.insert(all.end(), group.parameters.begin(), group.parameters.end());
  return all;
}

/// Of the fastest pass forward and backward; the first ones, in which LibTorch compiles, are never that.
double seconds_of_pass(Network& network, const at::Tensor& rows) {
  const auto tensors = trained_tensors(network);
  double fastest = std::numeric_limits<double>::infinity();
  for (int pass = 0; pass < kPasses; ++pass) {
    const at::Tensor images = rows.clone();
    const Stopwatch watch;
    torch::autograd::grad({network.features(images).sum()}, tensors, {}, std::nullopt, false, /*allow_unused=*/true);
    fastest = std::min(fastest, watch.seconds());
  }
  return fastest;
}

double rows_per_second(StepFormat format, Network& network, const at::Tensor& rows) {
  const at::AutoGradMode with_gradients(true);
  const auto buffers = network.moving_buffers();
  const auto before = copy_tensors(buffers);
  network.compute_in(format);
  network.train();
  const double seconds = seconds_of_pass(network, rows);
  network.eval();
  restore_tensors(buffers, before, "running statistics");
  return static_cast<double>(rows.size(0)) / seconds;
}

bool may_be_used(StepFormat format, const Network& network, const StepSearch& search) {
  return format != StepFormat::kBfloat16 || (search.bfloat16 && network.device().is_cpu() && has_fast_bfloat16());
}

/// The ways, the known one first.
std::vector<StepFormatRow> in_order(const StepSearch& search) {
  std::vector<StepFormatRow> rows(kRows.begin(), kRows.end());
  std::ranges::stable_partition(rows, [&](const StepFormatRow& row) { return row.format == search.known; });
  return rows;
}

}  // namespace

StepTrial choose_step_format(Network& network, const at::Tensor& rows, const StepSearch& search) {
  const c10::NoGradGuard no_grad;
  network.eval();
  const at::Tensor expected = features_in(StepFormat::kPlain, network, rows);
  std::optional<StepTrial> best;
  for (const StepFormatRow& row : in_order(search)) {
    if (!may_be_used(row.format, network, search)) continue;
    StepTrial trial{row.format, compare(features_in(row.format, network, rows), expected)};
    if (!trial.error.agrees(engine_kind(row.name))) continue;
    const bool timed = search.timed_rows > 0 && row.format != search.known;
    if (timed) trial.rows_per_second = rows_per_second(row.format, network, repeated(rows, search.timed_rows));
    if (!best || trial.rows_per_second > best->rows_per_second) best = trial;
    if (!timed) break;
  }
  TORCH_CHECK(best, "the plain way agrees with itself");
  network.compute_in(best->format);
  network.train();
  return *best;
}

std::string to_string(StepFormat format) { return std::ranges::find(kRows, format, &StepFormatRow::format)->name; }

StepFormat step_format(const std::string& name) {
  const auto* row = std::ranges::find(kRows, name, &StepFormatRow::name);
  if (row == kRows.end()) throw Error({"step format '" + name + "'", "is unknown", "plain, channels_last or bf16", ""});
  return row->format;
}

}  // namespace graft
