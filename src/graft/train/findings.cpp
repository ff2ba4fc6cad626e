#include "graft/train/findings.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "graft/core/short_count.h"

namespace graft {
namespace {

/// Updates of a thousandth of the weights are usual; a head that starts from nothing takes larger ones at first.
void say_update_ratios(const Json& phase, std::vector<std::string>& lines) {
  constexpr double kSmall = 1e-5, kLarge = 0.1;
  const Json ratios = phase.value("update_ratio", Json::object());
  for (const auto& [place, summary] : ratios.items()) {
    const auto mean = summary.at("mean").get<double>();
    if (mean >= kSmall && mean <= kLarge) continue;
    lines.push_back(c10::str("steps change the weights of ", place, " by ", mean,
                             " of their size, where 1e-3 is usual: ", mean > kLarge ? "lower" : "raise",
                             " the learning rate"));
  }
}

void say_units(const Json& phase, std::vector<std::string>& lines) {
  constexpr double kMost = 0.5;
  const Json dead = phase.value("dead_units", Json::object());
  const Json saturated = phase.value("saturated_units", Json::object());
  for (const auto& [layer, part] : dead.items())
    if (part.get<double>() > kMost)
      lines.push_back(
          c10::str("head.", layer, ": ", whole_percent(part.get<double>()),
                   " of the units are 0 for every photo looked at: lower the learning rate, or take leaky_relu"));
  for (const auto& [layer, part] : saturated.items())
    if (part.get<double>() > kMost)
      lines.push_back(
          c10::str("head.", layer, ": ", whole_percent(part.get<double>()),
                   " of the units are at an end of their range for every photo looked at: put a batch_norm in "
                   "front, or take relu"));
}

void say_gradients(const Json& phase, const ClipSpec& clip, std::vector<std::string>& lines) {
  constexpr double kJump = 50;
  const Json norm = phase.value("gradient_norm", Json::object());
  if (clip.name != "none" || !norm.contains("mean")) return;
  const auto mean = norm.at("mean").get<double>(), largest = norm.at("largest").get<double>();
  if (largest > kJump * mean)
    lines.push_back(c10::str("gradients jump (norm ", largest, ", usually ", mean,
                             "): \"clip\": {\"norm\": ", 10 * mean, "} holds them"));
}

void say_fit(const Json& fit, std::vector<std::string>& lines) {
  const std::string verdict = fit.value("verdict", "");
  if (verdict == "overfitting")
    lines.push_back(
        "overfits: validation got worse by more than a tenth while the training loss fell: train for less "
        "(\"stop\": {\"patience\": 3}), augment, or raise weight_decay or dropout");
  if (verdict == "still learning") lines.push_back("still learns in its last epochs: give it more of them");
  if (verdict == "underfitting")
    lines.push_back(c10::str("underfits: the training loss is ", fit.at("train_loss").get<double>(),
                             ", not half way from where it starts: raise the learning rate, take a larger head, or "
                             "train more layers"));
}

/// The first parameter that holds something else than finite numbers, and its group.
std::string broken_parameter(const std::vector<ParameterGroup>& groups) {
  for (std::size_t group = 0; group < groups.size(); ++group)
    for (std::size_t i = 0; i < groups[group].names.size(); ++i)
      if (!groups[group].parameters[i].detach().isfinite().all().item<bool>())
        return c10::str("; so is '", groups[group].names[i], "' (parameter group ", group + 1, " of ", groups.size(),
                        ", learning rate times ", groups[group].lr_scale, ")");
  return "; every parameter is finite still";
}

}  // namespace

std::vector<std::string> findings_of(const Json& phase, const Recipe& recipe, std::size_t index) {
  std::vector<std::string> lines;
  say_update_ratios(phase, lines);
  say_units(phase, lines);
  say_gradients(phase, recipe.phases[index].clip, lines);
  say_fit(phase.value("fit", Json::object()), lines);
  for (auto& line : lines) line = "phase '" + recipe.phases[index].name + "': " + line;
  return lines;
}

Json fit_of(const std::vector<Json>& epochs, double start, double floor) {
  constexpr std::size_t kEnough = 3;
  constexpr double kRise = 1.1, kFall = 0.95;
  const auto at = [&](std::size_t epoch, const char* name) { return epochs[epoch].at(name).get<double>(); };
  const std::size_t last = epochs.size() - 1;
  std::size_t lowest = 0;
  for (std::size_t i = 1; i <= last; ++i)
    if (at(i, "val_loss") < at(lowest, "val_loss")) lowest = i;
  const double train = at(last, "train_loss"), val = at(last, "val_loss");
  const double before_the_end = at(last - std::min(last, std::max<std::size_t>(epochs.size() / 5, 1)), "train_loss");
  std::string verdict = "fits";
  if (epochs.size() < kEnough)
    verdict = "too short to tell";
  else if (val > kRise * at(lowest, "val_loss") && train < at(lowest, "train_loss"))
    verdict = "overfitting";
  else if (lowest == last && train - floor < kFall * (before_the_end - floor) && train < before_the_end)
    verdict = "still learning";
  else if (start > floor && train - floor > (start - floor) / 2)
    verdict = "underfitting";
  return {{"train_loss", train}, {"val_loss", val}, {"lowest_val_loss", at(lowest, "val_loss")}, {"verdict", verdict}};
}

Error not_finite(const std::string& step, const std::vector<ParameterGroup>& groups,
                 const std::filesystem::path& checkpoint) {
  return Error({step, "the loss is no finite number" + broken_parameter(groups), "a loss that falls",
                "lower the learning rate, or \"clip\" gradients; " + checkpoint.string() + " is from before"});
}

}  // namespace graft
