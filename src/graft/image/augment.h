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

  /// Reads {"transforms": [{"horizontal_flip": {"p": 0.5}}, …], "keep": ["orientation"]}; the transforms are those of
  /// transform.h. "keep" declares what must not change because the classes depend on it: "orientation" (which way is
  /// up), "handedness" (left and right), "size" (how large things look), "brightness" or "color". A transform that
  /// breaks what is declared is a problem.
  static Augmentation read(JsonReader reader, const InputSpec& input);

  /// The same of JSON by itself. @throws Error with every problem.
  static Augmentation read(const Json& json, const InputSpec& input);

  bool empty() const { return transforms_.empty(); }
  /// The augmented image, uint8 [S, S, 3]: by fit_image where no transform gives it this size. With no transforms this
  /// is fit_image. Equal streams give equal images, on any thread.
  at::Tensor apply(const at::Tensor& image, const InputSpec& input, RandomStream& random) const;
  /// The JSON that read() took, defaults filled in.
  const Json& to_json() const { return json_; }

 private:
  std::vector<Transform> transforms_;
  bool fits_ = false;  ///< whether a transform makes images of the input size
  Json json_ = Json::object();
};

}  // namespace graft
