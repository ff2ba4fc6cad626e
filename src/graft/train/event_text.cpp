#include "graft/train/event_text.h"

#include <algorithm>
#include <iomanip>
#include <sstream>

#include "graft/core/short_count.h"

namespace graft {
namespace {

constexpr std::size_t kShown = 2;  // figures of an epoch

}  // namespace

std::string text_of(const SkippedImage& image) { return "left out: " + image.path.string() + ": " + image.reason; }

std::string text_of(const PhaseRecord& phase) {
  std::ostringstream text;
  text << "phase " << phase.phase + 1 << "/" << phase.phases << " '" << phase.name << "': " << phase.epochs
       << " epochs, " << short_count(phase.trained_parameters) << " parameters train, "
       << short_count(phase.frozen_parameters) << " frozen, boundary at " << phase.boundary << "; " << phase.plan;
  return std::move(text).str();
}

std::string text_of(const EpochRecord& epoch) {
  std::ostringstream text;
  text << std::fixed << "  epoch " << std::setw(3) << epoch.epoch + 1 << "/" << epoch.epochs << std::setprecision(4)
       << "  loss " << epoch.train_loss;
  const auto& figures = epoch.validation.figures;
  for (std::size_t i = 0; i < std::min(kShown, figures.size()); ++i)
    text << "  val " << figure_text(figures[i].first, figures[i].second);
  text << (epoch.best ? "  best" : "");
  return std::move(text).str();
}

std::string figure_text(const std::string& name, double value) {
  std::string words = name;
  std::ranges::replace(words, '_', ' ');
  const bool is_part = name == "accuracy" || name == "balanced_accuracy" || name == "top_5";
  std::ostringstream text;
  text << words << " " << std::fixed << std::setprecision(is_part ? 2 : 4) << (is_part ? 100 * value : value);
  return std::move(text).str() + (is_part ? " %" : "");
}

}  // namespace graft
