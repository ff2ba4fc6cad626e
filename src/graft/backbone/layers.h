#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "graft/backbone/backbone.h"

namespace graft {

/// One module that the features depend on, as `graft inspect` lists it.
struct Layer {
  std::string path;                 ///< "" for the network itself
  std::string type;                 ///< class name, such as Conv2d
  std::size_t depth = 0;            ///< modules that it lies in
  std::vector<std::int64_t> shape;  ///< of what it gives for one image; empty where it gives no tensor
  std::int64_t parameters = 0;      ///< numbers in its own parameters
  std::vector<std::string> names;   ///< paths of those parameters
  std::int64_t all_parameters = 0;  ///< numbers in its own and its submodules' parameters
  /// Multiplications with addition that one image takes in convolutions, linear layers and matrix products, submodules'
  /// included.
  std::int64_t multiply_adds = 0;
};

/// The network and its modules, each before its submodules, otherwise in the file's order. Runs one image of zeros
/// through the network.
std::vector<Layer> list_layers(const Backbone& backbone);

}  // namespace graft
