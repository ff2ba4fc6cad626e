#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

#include "graft/core/short_count.h"
#include "graft/report/html.h"
#include "graft/report/line_chart.h"
#include "graft/report/sections.h"

namespace graft {
namespace {

/// "adamw", or "adamw lr 0.003, weight_decay 0.01".
std::string text_of_options(const Json& named) {
  if (!named.is_object() || named.empty()) return named.is_string() ? named.get<std::string>() : named.dump();
  std::string text = named.begin().key();
  const Json& options = named.begin().value();
  if (!options.is_object()) return text + " " + (options.is_string() ? options.get<std::string>() : options.dump());
  const char* before = " ";
  for (const auto& [name, value] : options.items()) {
    text += before + name + " " + (value.is_object() ? text_of_options(value) : value.dump());
    before = ", ";
  }
  return text;
}

std::string joined(const Json& items, const std::string& between, std::string (*text)(const Json&)) {
  std::string all;
  for (const auto& item : items) all += (all.empty() ? "" : between) + text(item);
  return all;
}

/// A layer by its kind and what comes first: "linear 256", "activation relu".
std::string text_of_layer(const Json& layer) {
  const auto first = layer.begin();
  const Json& value = first.value();
  if (value.is_object()) return value.empty() || first.key() != "activation" ? first.key() : value.begin().key();
  return first.key() + " " + (value.is_string() ? value.get<std::string>() : value.dump());
}

std::string text_of_string(const Json& text) { return text.get<std::string>(); }

std::string row(const std::string& key, const std::string& value) {
  return "<tr><th scope=\"row\">" + escape_html(key) + "</th><td>" + escape_html(value) + "</td></tr>\n";
}

std::string card(const std::string& name, const std::string& value, const std::string& note = "") {
  return "<div class=\"card\"><b>" + escape_html(value) + "</b><span>" + escape_html(name) + "</span>" +
         (note.empty() ? "" : "<small>" + escape_html(note) + "</small>") + "</div>\n";
}

/// Whether a figure is a part of the photos.
bool is_part(const std::string& figure) {
  return figure == "accuracy" || figure == "balanced_accuracy" || figure == "top_5";
}

std::string text_of_figure(const std::string& name, double value) {
  return is_part(name) ? percent(value) : fixed(value, 3);
}

std::string words_of(std::string figure) {
  std::ranges::replace(figure, '_', ' ');
  return figure;
}

std::string phases_table(const RunResults& results) {
  std::ostringstream out;
  out << "<div class=\"wide\"><table><thead><tr><th>phase</th><th>epochs</th><th>trains</th><th>optimizer</th>"
         "<th>schedule</th></tr></thead><tbody>\n";
  for (const auto& phase : results.recipe.at("phases")) {
    std::int64_t ran = 0;
    for (const auto& epoch : results.history) ran += epoch.at("phase") == phase.at("name") ? 1 : 0;
    out << "<tr><td>" << escape_html(phase.at("name").get<std::string>()) << "</td><td>" << ran << " of "
        << phase.at("epochs") << "</td><td>" << escape_html(joined(phase.at("train"), ", ", text_of_string))
        << "</td><td>" << escape_html(text_of_options(phase.at("optimizer"))) << "</td><td>"
        << escape_html(text_of_options(phase.at("schedule"))) << "</td></tr>\n";
  }
  out << "</tbody></table></div>\n";
  return out.str();
}

double number_at(const Json& record, const std::string& key) {
  return record.contains(key) && record.at(key).is_number() ? record.at(key).get<double>()
                                                            : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

std::string figures_section(const RunResults& results) {
  constexpr std::size_t kShown = 6;
  const Json& best = results.metrics.at("best");
  const std::string stop = results.recipe.at("stop").at("metric").get<std::string>();
  std::vector<std::pair<std::string, double>> shown;
  for (const auto& [name, value] : best.at("val").items())
    if (value.is_number_float() && (name == stop || shown.size() < kShown))
      shown.insert(name == stop ? shown.begin() : shown.end(), {name, value.get<double>()});
  shown.resize(std::min(shown.size(), kShown));
  std::string out = "<section class=\"cards\">\n";
  for (const auto& [name, value] : shown) out += card(words_of(name), text_of_figure(name, value));
  if (best.contains("test"))
    out += card("test " + words_of(stop), text_of_figure(stop, best.at("test").at(stop).get<double>()),
                std::to_string(best.at("test").at("images").get<std::int64_t>()) + " photos");
  return out + "</section>\n<p class=\"note\">Measured on the exported file with " +
         std::to_string(best.at("val").at("images").get<std::int64_t>()) + " validation photos; it is epoch " +
         std::to_string(best.at("epoch").get<std::int64_t>()) + " of phase \u201c" +
         escape_html(best.at("phase").get<std::string>()) + "\u201d.</p>\n";
}

std::string recipe_section(const RunResults& results) {
  const Json& recipe = results.recipe;
  const Json& parameters = results.metrics.at("parameters");
  const Json& images = results.metrics.at("images");
  const auto count = [](const Json& number) { return std::to_string(number.get<std::int64_t>()); };
  std::string out = "<section><h2>What was trained</h2>\n<table class=\"facts\"><tbody>\n";
  out += row("backbone", std::filesystem::path(recipe.at("backbone").at("file").get<std::string>()).stem().string());
  out += row("task", recipe.at("task").get<std::string>());
  out += row("preset", recipe.value("preset", "none"));
  out += row("parameters", short_count(parameters.at("trained").get<std::int64_t>()) + " trained of " +
                               short_count(parameters.at("total").get<std::int64_t>()));
  out += row("photos", count(images.at("train")) + " train, " + count(images.at("val")) + " validation, " +
                           count(images.at("test")) + " test, " + count(images.at("skipped")) + " left out");
  out += row("input",
             count(recipe.at("input").at("size")) + " pixels, batches of " + count(recipe.at("data").at("batch_size")));
  out += row("head", joined(recipe.at("head"), " \u2192 ", text_of_layer));
  out += row("loss", text_of_options(recipe.at("loss")));
  const Json& transforms = recipe.at("data").at("augment").at("transforms");
  if (!transforms.empty())
    out += row("augmentation", joined(transforms, ", ", [](const Json& t) { return t.begin().key(); }));
  return out + "</tbody></table>\n" + phases_table(results) + "</section>\n";
}

std::string curves_section(const RunResults& results) {
  const std::string stop = results.recipe.at("stop").at("metric").get<std::string>();
  // The loss of numbers trains in deviations and is measured in their own unit.
  const bool numbers = results.recipe.at("task") == "regression";
  const std::string shown = stop != "loss" ? stop : numbers ? "rmse" : "accuracy";
  LineChart losses{"loss", {{"training", {}}, {"validation", {}}}, {}};
  LineChart metrics{words_of(shown) + " on validation photos", {{shown, {}}}, {}};
  LineChart rates{"learning rate of the head", {{"learning rate", {}}}, {}};
  metrics.percent = is_part(shown);
  rates.logarithmic = true;
  if (numbers) losses.series.pop_back();
  std::vector<std::size_t> starts;
  for (std::size_t i = 0; i < results.history.size(); ++i) {
    const Json& epoch = results.history[i];
    if (i == 0 || epoch.at("phase") != results.history[i - 1].at("phase")) starts.push_back(i);
    losses.series[0].values.push_back(number_at(epoch, "train_loss"));
    if (!numbers) losses.series[1].values.push_back(number_at(epoch, "val_loss"));
    metrics.series[0].values.push_back(number_at(epoch, "val_" + shown));
    const Json& places = epoch.at("lr");
    rates.series[0].values.push_back(places.empty() ? 0 : places.begin().value().get<double>());
    if (!places.empty() && i == 0) rates.title = "learning rate of " + places.begin().key();
  }
  std::string out = "<section><h2>Epochs</h2>\n<div class=\"charts\">\n";
  for (LineChart* chart : {&losses, &metrics, &rates}) {
    chart->phase_starts = starts;
    out += svg_of(*chart);
  }
  return out + "</div></section>\n";
}

std::string timing_section(const RunResults& results) {
  const Json& timing = results.metrics.at("timing");
  std::string out = "<section><h2>Time</h2>\n<table class=\"facts\"><tbody>\n";
  const auto line = [&](const char* key, const char* text) {
    return row(text, duration(timing.at(key).get<double>()));
  };
  out += line("total_s", "in all") + line("epochs_s", "epochs") + line("features_s", "of these, frozen layers") +
         line("export_s", "export and measuring");
  return out + "</tbody></table></section>\n";
}

}  // namespace graft
