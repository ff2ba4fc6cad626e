#pragma once
#include <ATen/core/Tensor.h>

#include <functional>
#include <string>
#include <vector>

#include "graft/core/json.h"
#include "graft/core/random.h"
#include "graft/image/input_spec.h"

namespace graft {

/// One random change of an image: uint8 [H, W, 3] -> uint8 [H', W', 3], drawing only from `random`.
using Transform = std::function<at::Tensor(const at::Tensor& image, RandomStream& random)>;

/// The recipe's "augment": transforms in order, then whatever fits the result to the input size.
class Augmentation {
 public:
  Augmentation() = default;

  /// Reads {"transforms": [{"horizontal_flip": {"p": 0.5}}, …], "keep": ["orientation"]}. A transform that breaks what
  /// "keep" declares is a problem. Known transforms: random_resized_crop {scale [0.08, 1], ratio [3/4, 4/3]}
  /// (torchvision's), horizontal_flip {p}.
  static Augmentation read(JsonReader reader, const InputSpec& input);

  bool empty() const { return transforms_.empty(); }
  /// The augmented image, fitted to uint8 [S, S, 3]. With no transforms this is fit_image.
  at::Tensor apply(const at::Tensor& image, const InputSpec& input, RandomStream& random) const;
  /// The JSON that read() took, defaults filled in.
  const Json& to_json() const { return json_; }

 private:
  std::vector<Transform> transforms_;
  Json json_ = Json::object();
};

}  // namespace graft
