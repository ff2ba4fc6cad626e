#include "graft/data/examine.h"

#include <span>

#include "graft/core/error.h"
#include "graft/core/files.h"
#include "graft/core/hash.h"

namespace graft {

Examined examine_file(const std::filesystem::path& path) {
  Examined examined;
  try {
    const std::string bytes = read_file(path);
    examined.hash = sha256(bytes);
    examined.facts = examine_photo(std::as_bytes(std::span(bytes)), "image '" + path.string() + "'");
  } catch (const Error& error) {
    const auto& problem = error.problems().front();
    examined.problem = problem.found + (problem.hint.empty() ? "" : " (" + problem.hint + ")");
  }
  return examined;
}

}  // namespace graft
