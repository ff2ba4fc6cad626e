#include <sstream>

#include "graft/report/html.h"
#include "graft/report/sections.h"

namespace graft {
namespace {

/// "head 0.002, layer4 0.0004" of {"head": {"mean": …}, …}, or of plain numbers.
std::string listed(const Json& by_place, std::string (*text)(double)) {
  std::string all;
  for (const auto& [place, value] : by_place.items()) {
    const double number = value.is_object() ? value.value("mean", 0.0) : value.get<double>();
    all += (all.empty() ? "" : ", ") + place + " " + text(number);
  }
  return all.empty() ? "\u2013" : all;
}

std::string summary(const Json& diagnosis) {
  std::string out;
  if (diagnosis.contains("initial_loss")) {
    const Json& loss = diagnosis.at("initial_loss");
    out += "<p>The loss started at " + short_number(loss.at("found").get<double>());
    if (loss.at("expected").is_number())
      out += "; a head that knows nothing has " + short_number(loss.at("expected").get<double>());
    out += ".</p>\n";
  }
  if (diagnosis.contains("one_batch"))
    out += "<p>One batch learnt by heart: loss from " +
           short_number(diagnosis.at("one_batch").at("before").get<double>()) + " to " +
           short_number(diagnosis.at("one_batch").at("after").get<double>()) + ".</p>\n";
  return out;
}

}  // namespace

std::string diagnosis_section(const RunResults& results) {
  const Json diagnosis = results.metrics.value("diagnosis", Json::object());
  if (!diagnosis.contains("phases")) return "";
  std::ostringstream said, rows;
  for (const auto& phase : diagnosis.at("phases")) {
    for (const auto& line : phase.value("says", Json::array()))
      said << "<li>" << escape_html(line.get<std::string>()) << "</li>\n";
    Json units = phase.value("dead_units", Json::object());
    units.update(phase.value("saturated_units", Json::object()));
    rows << "<tr><td>" << escape_html(phase.value("name", "")) << "</td><td>"
         << escape_html(phase.value("fit", Json::object()).value("verdict", "\u2013")) << "</td><td>"
         << (phase.contains("gradient_norm") ? short_number(phase.at("gradient_norm").value("mean", 0.0)) : "\u2013")
         << "</td><td>" << escape_html(listed(phase.value("update_ratio", Json::object()), short_number)) << "</td><td>"
         << escape_html(listed(units, percent)) << "</td></tr>\n";
  }
  const bool silent = said.str().empty();
  return "<section><h2>Diagnosis</h2>\n" +
         (silent ? std::string("<p>Nothing to say against this run.</p>\n")
                 : "<ul class=\"said\">\n" + said.str() + "</ul>\n") +
         summary(diagnosis) +
         "<div class=\"wide\"><table><thead><tr><th>phase</th><th>verdict</th><th>gradient norm</th>"
         "<th>update / weights</th><th>units without use</th></tr></thead><tbody>\n" +
         rows.str() + "</tbody></table></div></section>\n";
}

}  // namespace graft
