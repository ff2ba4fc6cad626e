#pragma once
#include <ATen/core/Tensor.h>

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "graft/core/json.h"
#include "graft/core/random.h"
#include "graft/image/input_spec.h"

namespace graft {

/// One random change of an image: uint8 [H, W, 3] -> uint8 [H', W', 3], drawing only from `random`.
using Transform = std::function<at::Tensor(const at::Tensor& image, RandomStream& random)>;

/// A rectangle of an image, in pixels.
struct CropBox {
  int top = 0;
  int left = 0;
  int height = 0;
  int width = 0;
};

/// The rectangle that random_resized_crop cuts: up to ten draws of an area (a part of the image's, within `scale`) and
/// a width-to-height ratio (log-uniform within `ratio`), else the largest central one (torchvision's
/// RandomResizedCrop).
CropBox random_crop_box(int height, int width, const std::array<double, 2>& scale, const std::array<double, 2>& ratio,
                        RandomStream& random);

/// The recipe's "augment": transforms in order, then whatever fits the result to the input size.
class Augmentation {
 public:
  Augmentation() = default;

  /// Reads {"transforms": [{"horizontal_flip": {"p": 0.5}}, …], "keep": ["orientation"]}. Known transforms:
  /// random_resized_crop {scale [0.08, 1], ratio [3/4, 4/3]} (torchvision's; its result has the input size),
  /// horizontal_flip {p 0.5}. "keep" declares what must not change because the classes depend on it: "orientation"
  /// (which way is up), "handedness" (left and right), "size" (how large things look), "brightness" or "color". A
  /// transform that breaks what is declared is a problem.
  static Augmentation read(JsonReader reader, const InputSpec& input);

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
