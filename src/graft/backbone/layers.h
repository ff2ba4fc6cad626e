#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "graft/backbone/backbone.h"

namespace graft {

/// One module that has parameters of its own, as `graft inspect` lists it.
struct Layer {
  std::string path;
  std::string type;                 ///< class name, such as Conv2d
  std::vector<std::int64_t> shape;  ///< of what it gives for one image; empty where it gives no tensor
  std::int64_t parameters = 0;      ///< numbers in its own parameters
  std::vector<std::string> names;   ///< paths of those parameters
};

/// The layers that the features depend on, in the file's order. Runs one image of zeros through the network.
std::vector<Layer> list_layers(const Backbone& backbone);

}  // namespace graft
