#include "features_flags.h"

#include <algorithm>

namespace graft::cli {

FeaturesChoice FeaturesFlags::choice() const {
  const auto& names = classifier_choice_names();
  const auto found = std::find(names.begin(), names.end(), classifier);
  return {path, found == names.end() ? ClassifierChoice::kAuto : static_cast<ClassifierChoice>(found - names.begin())};
}

void add_features_flags(CLI::App& command, FeaturesFlags& flags) {
  auto* path = command.add_option("--features", flags.path,
                                  "module whose output is the features; what lies behind it is cut off");
  command
      .add_option("--classifier", flags.classifier,
                  "keep: the network's output is the features; replace: its last linear layer is cut off")
      ->check(CLI::IsMember(classifier_choice_names()))
      ->excludes(path);
}

}  // namespace graft::cli
