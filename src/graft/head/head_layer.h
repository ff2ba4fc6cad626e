#pragma once
#include <torch/csrc/jit/api/module.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "graft/core/json.h"

namespace graft {

/// Makes modules in one compilation unit, so that classes of the same kind get distinct names when saved.
class Emitter {
 public:
  /// An empty module whose mode train() and eval() reach.
  torch::jit::Module module(const std::string& class_name);

 private:
  std::shared_ptr<torch::jit::CompilationUnit> unit_ = std::make_shared<torch::jit::CompilationUnit>();
};

void add_parameter(torch::jit::Module& module, const std::string& name, at::Tensor values);
void add_number(torch::jit::Module& module, const std::string& name, double value);

/// Where in a head a layer stands.
struct LayerPlace {
  std::string path;                          ///< in the recipe, "head[2]"
  std::int64_t in = 0;                       ///< numbers of each sample that it gets
  std::int64_t classes = 0;                  ///< what "classes" stands for
  std::uint64_t seed = 0;                    ///< of what it draws to start with
  std::vector<std::int64_t> class_counts{};  ///< images of each class; empty where nobody knows
  bool one_weight = false;                   ///< "classes" share one vector of weights, see HeadOutputs
};

/// LayerPlace's seed of the layer `index` of a head that is built with `seed`.
std::uint64_t layer_seed(std::uint64_t seed, std::size_t index);

struct BuiltLayer {
  torch::jit::Module module;
  std::int64_t out = 0;  ///< numbers of each sample that it gives
};

/// A kind of layer that a head may have.
struct HeadLayerRow {
  std::string name;
  Json (*read)(JsonReader& reader);  ///< the layer's object, defaults filled in
  /// @throws Error when the layer cannot stand there
  BuiltLayer (*build)(Emitter& emitter, const Json& layer, const LayerPlace& place);
};

const std::vector<HeadLayerRow>& head_layer_rows();
const HeadLayerRow& head_layer_row(const std::string& name);

HeadLayerRow batch_norm_layer();
HeadLayerRow layer_norm_layer();
HeadLayerRow whiten_layer();
HeadLayerRow dropout_layer();
HeadLayerRow alpha_dropout_layer();
HeadLayerRow linear_layer();
HeadLayerRow cosine_layer();
HeadLayerRow activation_layer();

}  // namespace graft
