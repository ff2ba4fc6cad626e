#pragma once
#include <filesystem>
#include <string>

#include "graft/image/photo_facts.h"

namespace graft {

/// What an image's file is found to be.
struct Examined {
  std::string hash;     ///< SHA-256 of its bytes; "" where they cannot be read
  std::string problem;  ///< why it is left out, "" where it is an image
  PhotoFacts facts{};   ///< of an image
};

/// Reads a file once: hashed, and decoded at reduced size to see that it can be.
Examined examine_file(const std::filesystem::path& path);

}  // namespace graft
