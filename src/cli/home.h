#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "graft/backbone/model_card.h"
#include "graft/core/trust.h"

namespace graft::cli {

/// The folder that holds models/ and weights/: the source tree that the program was built in, or share/graft beside an
/// installed one.
/// @throws Error when neither is there.
std::filesystem::path home();

/// What may be forgotten between runs: $XDG_CACHE_HOME/graft, else ~/.cache/graft.
std::filesystem::path cache_folder();
/// Which engines were found fastest, in it.
std::filesystem::path engine_verdicts();
/// Activations of frozen layers in it.
std::filesystem::path activation_stores();
/// What was found in images, in it.
std::filesystem::path image_indexes();

std::vector<ModelCard> model_cards();
std::filesystem::path weights_of(const ModelCard& card);

/// A backbone as a user names it, with what is known of it.
struct ChosenBackbone {
  std::filesystem::path file;
  std::optional<ModelCard> card;  ///< of the name, or of a file of the same name in weights/
};
/// @param name  a card's name or a file
/// @throws Error when it is neither, with the nearest names, or its weights are not here, with the command that makes
/// them, or are not those that the card knows.
ChosenBackbone choose_backbone(const std::string& name);

/// {"size": …} for the recipe's "input": the artifact's own, else the card's, else nothing.
std::optional<InputSpec> known_input(const ChosenBackbone& backbone, Trust trust);

}  // namespace graft::cli
