#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "graft/image/input_spec.h"

namespace graft {

/// Facts about one published backbone, from models/NAME.json.
struct ModelCard {
  std::string name;
  std::string title;
  std::string file;    ///< file name within weights/
  std::string sha256;  ///< of that file; empty where exports differ from machine to machine
  InputSpec input;
  std::int64_t parameters = 0;
  std::int64_t num_features = 0;
  std::string license;
  std::string accuracy;        ///< published ImageNet top-1 with its source, as text; may be empty
  std::string export_command;  ///< the command that makes the file
};

/// @throws Error naming every mistake of the card.
ModelCard read_model_card(const std::filesystem::path& path);

/// The cards of a folder, sorted by name.
std::vector<ModelCard> read_model_cards(const std::filesystem::path& folder);

}  // namespace graft
