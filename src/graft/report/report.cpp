#include "graft/report/report.h"

#include "graft/core/files.h"
#include "graft/core/runtime.h"
#include "graft/report/html.h"
#include "graft/report/page_style.h"
#include "graft/report/results.h"
#include "graft/report/sections.h"

namespace graft {

std::filesystem::path write_report(const RunFolder& folder) {
  const RunResults results = read_results(folder);
  const std::string title = escape_html(results.name);
  std::string page =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
      title + " \u2013 Graft</title>\n<style>" + kPageStyle + "</style>\n</head>\n<body>\n<h1>" + title +
      "</h1>\n<p class=\"note\">A run of Graft " + graft_version() + "</p>\n";
  for (const auto section : {figures_section, diagnosis_section, curves_section, confusion_section, photos_section,
                             classes_section, recipe_section, timing_section})
    page += section(results);
  page += "</body>\n</html>\n";
  replace_file(folder.report(), page);
  return folder.report();
}

}  // namespace graft
