#include "graft/report/report.h"

#include "graft/core/files.h"
#include "graft/core/runtime.h"
#include "graft/report/page_style.h"
#include "graft/report/results.h"
#include "graft/report/sections.h"

namespace graft {

std::filesystem::path write_report(const RunFolder& folder) {
  const RunResults results = read_results(folder);
  std::string body;
  for (const auto section : {figures_section, diagnosis_section, curves_section, confusion_section, photos_section,
                             classes_section, recipe_section, timing_section})
    body += section(results);
  const std::string page = html_page(results.name, "A run of Graft " + graft_version(), body);
  replace_file(folder.report(), page);
  return folder.report();
}

}  // namespace graft
