#include "graft/report/lr_page.h"

#include "graft/core/runtime.h"
#include "graft/report/html.h"
#include "graft/report/line_chart.h"
#include "graft/report/page_style.h"

namespace graft {
namespace {

std::string suggestion_row(const std::string& name, double rate, const std::string& meaning) {
  return "<tr><th>" + name + "</th><td class=\"number\">" + short_number(rate) + "</td><td>" + meaning + "</td></tr>\n";
}

}  // namespace

std::string lr_page(const LrResults& results) {
  LineChart chart{"smoothed loss by learning rate", {{"smoothed loss", results.smoothed}}, {}};
  chart.places = {"learning rate", results.lr, /*logarithmic=*/true};
  chart.marks = {{"valley", results.valley}, {"steepest", results.steepest}};
  return html_page("Learning rates of phase '" + results.phase + "'", "A range test by Graft " + graft_version(),
                   "<section>\n" + svg_of(chart) + "</section>\n<section><table class=\"facts\">\n" +
                       suggestion_row("valley", results.valley, "two thirds down the longest fall") +
                       suggestion_row("steepest", results.steepest, "where the loss falls fastest") +
                       "</table></section>\n");
}

}  // namespace graft
