#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "graft/core/hash.h"
#include "graft/data/dataset.h"
#include "graft/image/photo_facts.h"

namespace graft {

/// What an image's file is found to be.
struct Examined {
  std::optional<Digest> hash;  ///< of its bytes; none where they cannot be read
  std::string problem;         ///< why it is left out, "" where it is an image
  PhotoFacts facts{};          ///< of an image
};

/// Reads a file once: hashed, and decoded at reduced size to see that it can be.
Examined examine_file(const std::filesystem::path& path);

/// Examines all samples of a data set. Those that cannot be read go from its samples to those skipped; the others get
/// their hash and stay in their order.
/// @param examine   called from several threads
/// @param examined  told of each image, in order
void examine_samples(Dataset& dataset, int workers, const std::function<Examined(const std::string& path)>& examine,
                     const std::function<void(const Sample&, const Examined&)>& examined);

}  // namespace graft
