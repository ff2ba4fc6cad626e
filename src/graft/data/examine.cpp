#include "graft/data/examine.h"

#include <algorithm>
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
  const auto take = [&](Sample& sample, const Examined& found) {
    examined(sample, found);
    if (!found.problem.empty()) {
      dataset.skipped.push_back({sample.path, found.problem});
      return;
    }
    sample.hash = found.hash.value();
    if (&samples[kept] != &sample) samples[kept] = std::move(sample);
    ++kept;
  };
  // To hand an image over takes as long as to find it unchanged: they are handed over a few at a time.
  constexpr std::size_t kAtOnce = 16;
  OrderedParallel<std::vector<Examined>>::run((samples.size() + kAtOnce - 1) / kAtOnce, workers,
                                              [&](std::size_t block) {
                                                std::vector<Examined> found;
                                                for (std::size_t i = block * kAtOnce;
                                                     i < std::min(samples.size(), (block + 1) * kAtOnce); ++i)
                                                  found.push_back(examine(samples[i].path));
                                                return found;
                                              },
                                              [&](std::size_t block, const std::vector<Examined>& found) {
                                                for (std::size_t i = 0; i < found.size(); ++i)
                                                  take(samples[block * kAtOnce + i], found[i]);
                                              });
  samples.erase(samples.begin() + static_cast<std::ptrdiff_t>(kept), samples.end());
}

}  // namespace graft
