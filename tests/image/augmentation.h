#pragma once
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "graft/image/augment.h"

namespace graft::test {

inline const InputSpec kInput{.size = 64, .crop = 1};

inline Augmentation read_augmentation(const std::string& text, const InputSpec& input, std::vector<Problem>& problems) {
  const Json json = parse_json(text, "augment");
  return Augmentation::read(JsonReader(json, "augment", problems), input);
}

inline Augmentation read_augmentation(const std::string& text, const InputSpec& input) {
  std::vector<Problem> problems;
  auto augmentation = read_augmentation(text, input, problems);
  EXPECT_TRUE(problems.empty()) << problems.at(0).message();
  return augmentation;
}

/// Of one transform, such as {"horizontal_flip": {}}.
inline std::string alone(const std::string& transform, const std::string& kept = "") {
  return "{\"transforms\": [" + transform + "], \"keep\": [" + (kept.empty() ? "" : '"' + kept + '"') + "]}";
}

inline at::Tensor apply(const Augmentation& augmentation, const at::Tensor& image, const InputSpec& input,
                        std::uint64_t seed) {
  RandomStream random(seed);
  return augmentation.apply(image, input, random);
}

}  // namespace graft::test
