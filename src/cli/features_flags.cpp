#include "features_flags.h"

namespace graft::cli {

FeaturesChoice FeaturesFlags::choice() const {
  return {path, classifier.empty() ? ClassifierChoice::kAuto : classifier_choice(classifier)};
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
