#pragma once
#include <string>
#include <vector>

#include "graft/core/json.h"

namespace graft {

/// One layer of the head as the recipe names it.
struct HeadLayer {
  std::string kind;  ///< a name of the table of layers (head_layer.h), "linear"
  Json json;         ///< the recipe's object, every default filled in: {"linear": 256, "bias": true, "init": {…}}

  bool operator==(const HeadLayer&) const = default;
};

/// The recipe's "head": [{"batch_norm": {}}, {"dropout": 0.25}, {"linear": 256, "init": "kaiming_normal"},
/// {"activation": "relu"}, {"linear": "classes"}]. The last layer, and no other, gives the classes: {"linear":
/// "classes"} or {"cosine": "classes"}.
struct HeadSpec {
  std::vector<HeadLayer> layers;

  bool operator==(const HeadSpec&) const = default;
};

/// What a layer may be, in the table's order.
std::vector<std::string> head_layer_names();
HeadSpec read_head_spec(const Json& value, const std::string& path, std::vector<Problem>& problems);
Json to_json(const HeadSpec& spec);

}  // namespace graft
