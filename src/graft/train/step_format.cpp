#include "graft/train/step_format.h"

#include <c10/core/GradMode.h>

#include <algorithm>
#include <array>

#include "graft/core/error.h"
#include "graft/core/reason.h"
#include "graft/core/runtime.h"

namespace graft {
namespace {

struct Row {
  StepFormat format;
  const char* name;
  const char* like;  // the frozen engine that it has to agree as
};

constexpr std::array kRows{Row{StepFormat::kBfloat16, "bf16", "bf16"},
                           Row{StepFormat::kChannelsLast, "channels_last", "channels_last"},
                           Row{StepFormat::kPlain, "plain", "plain"}};

at::Tensor features_in(StepFormat format, Network& network, const at::Tensor& rows) {
  network.compute_in(format);
  return network.features(rows.clone()).cpu();
}

}  // namespace

StepTrial choose_step_format(Network& network, const at::Tensor& rows, bool bfloat16) {
  const c10::NoGradGuard no_grad;
  network.eval();
  const at::Tensor expected = features_in(StepFormat::kPlain, network, rows);
  StepTrial chosen{StepFormat::kPlain, {}};
  for (const Row& row : kRows) {
    if (row.format == StepFormat::kBfloat16 && !(bfloat16 && network.device().is_cpu() && has_fast_bfloat16()))
      continue;
    const StepTrial trial{row.format, compare(features_in(row.format, network, rows), expected)};
    if (!trial.error.agrees(engine_kind(row.like))) continue;
    chosen = trial;
    break;
  }
  network.compute_in(chosen.format);
  network.train();
  return chosen;
}

std::string to_string(StepFormat format) { return std::ranges::find(kRows, format, &Row::format)->name; }

StepFormat step_format(const std::string& name) {
  const auto* row = std::ranges::find(kRows, name, &Row::name);
  if (row == kRows.end()) throw Error({"step format '" + name + "'", "is unknown", "plain, channels_last or bf16", ""});
  return row->format;
}

}  // namespace graft
