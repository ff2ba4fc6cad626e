#include "home.h"

#include <algorithm>
#include <cstdlib>

#include "graft/artifact/artifact.h"
#include "graft/core/error.h"
#include "graft/core/hash.h"
#include "graft/core/names.h"

namespace graft::cli {
namespace {

namespace fs = std::filesystem;

bool looks_like_file(const std::string& name) {
  return name.find('/') != std::string::npos || name.ends_with(".pt") || name.ends_with(".pth") || fs::exists(name);
}

std::optional<ModelCard> card_of_file(const fs::path& file) {
  for (auto& card : model_cards())
    if (card.file == file.filename().string()) return std::move(card);
  return std::nullopt;
}

void check_hash(const ModelCard& card, const fs::path& file) {
  if (card.sha256.empty()) return;
  const std::string found = sha256_file(file);
  if (found != card.sha256)
    throw Error({"backbone '" + card.name + "'", "its file " + file.string() + " has SHA-256 " + found,
                 card.sha256 + ", as its card says", "remove the file, then run: " + card.export_command});
}

}  // namespace

fs::path home() {
  const fs::path folder = fs::read_symlink("/proc/self/exe").parent_path();
  for (const auto& candidate : {folder / "../share/graft", folder / "../../.."})
    if (fs::is_directory(candidate / "models")) return candidate.lexically_normal();
  throw Error({"model cards", "there is no folder models beside the program '" + folder.string() + "'",
               "the source tree or share/graft", "run the program from where it was built or installed"});
}

fs::path cache_folder() {
  const auto folder_in = [](const char* variable) {
    const char* value = std::getenv(variable);
    return value != nullptr && fs::path(value).is_absolute() ? fs::path(value) : fs::path();
  };
  if (const fs::path folder = folder_in("XDG_CACHE_HOME"); !folder.empty()) return folder / "graft";
  const fs::path home = folder_in("HOME");
  if (home.empty())
    throw Error({"environment", "names no home folder", "HOME or XDG_CACHE_HOME", "what is computed is kept there"});
  return home / ".cache/graft";
}

fs::path engine_verdicts() { return cache_folder() / "engines"; }
fs::path activation_stores() { return cache_folder() / "activations"; }
fs::path image_indexes() { return cache_folder() / "images"; }

std::vector<ModelCard> model_cards() { return read_model_cards(home() / "models"); }

fs::path weights_of(const ModelCard& card) { return home() / "weights" / card.file; }

ChosenBackbone choose_backbone(const std::string& name) {
  if (looks_like_file(name)) return {name, card_of_file(name)};
  std::vector<std::string> names;
  for (auto& card : model_cards()) {
    if (card.name == name) {
      const fs::path file = weights_of(card);
      if (!fs::exists(file))
        throw Error({"backbone '" + name + "'", "its weights are not here (" + file.string() + ")", "the exported file",
                     "run: " + card.export_command});
      check_hash(card, file);
      return {file, std::move(card)};
    }
    names.push_back(card.name);
  }
  throw Error({"backbone '" + name + "'", "is neither a file nor a model card",
               "a TorchScript file, or one of " + join(names), did_you_mean(name, names)});
}

std::optional<InputSpec> known_input(const ChosenBackbone& backbone, Trust trust) {
  if (is_artifact(backbone.file, "backbone")) return load_artifact(backbone.file, trust).metadata.input;
  return backbone.card ? std::optional(backbone.card->input) : std::nullopt;
}

}  // namespace graft::cli
