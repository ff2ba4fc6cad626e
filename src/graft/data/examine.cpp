#include "graft/data/examine.h"

#include <span>

#include "graft/core/error.h"
#include "graft/core/files.h"
#include "graft/core/parallel.h"

namespace graft {

Examined examine_file(const std::filesystem::path& path) {
  Examined examined;
  try {
    const std::string bytes = read_file(path);
    examined.hash = Sha256().update(bytes).digest();
    examined.facts = examine_photo(std::as_bytes(std::span(bytes)), "image '" + path.string() + "'");
  } catch (const Error& error) {
    const auto& problem = error.problems().front();
    examined.problem = problem.found + (problem.hint.empty() ? "" : " (" + problem.hint + ")");
  }
  return examined;
}

void examine_samples(Dataset& dataset, int workers, const std::function<Examined(const std::string& path)>& examine,
                     const std::function<void(const Sample&, const Examined&)>& examined) {
  auto& samples = dataset.samples;
  std::size_t kept = 0;
  OrderedParallel<Examined>::run(
      samples.size(), workers, [&](std::size_t i) { return examine(samples[i].path); },
      [&](std::size_t i, const Examined& found) {
        examined(samples[i], found);
        if (!found.problem.empty()) {
          dataset.skipped.push_back({samples[i].path, found.problem});
          return;
        }
        samples[i].hash = found.hash.value();
        if (kept != i) samples[kept] = std::move(samples[i]);
        ++kept;
      });
  samples.erase(samples.begin() + static_cast<std::ptrdiff_t>(kept), samples.end());
}

}  // namespace graft
