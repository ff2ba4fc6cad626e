#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "graft/backbone/graph.h"

namespace graft::graph {

/// Makes every floating tensor of the module and the graph float32, and operators that name half, bfloat16 or double as
/// their result's type give float32, so that the network takes float images. Returns the type that it found, "" when
/// all was float32 already.
std::string use_float32(torch::jit::Module& module, Graph& graph);

/// Where a module reads a list of copies of its own parameters, as a scripted recurrent layer does, the list is made of
/// the parameters themselves, so that they train.
void read_parameters_in_lists(const torch::jit::Module& module, Graph& graph);

/// Operators that name a device (a trace made on a GPU, a table built by the forward) use the one that the parameters
/// are on. Returns how many.
int free_devices(Graph& graph);

struct BatchSize {
  std::int64_t fixed = 0;                   ///< the number of images that a trace had written down, 0 for none
  std::vector<std::int64_t> feature_sizes;  ///< of the graph's output for one image
};

/// Runs the graph on one image and on two, and where a trace has written down their number, on that many.
/// @throws Error when the graph does not run on images of that size, or runs on one number of them only and
/// free_batch_size would change its answers.
BatchSize find_batch_size(const std::shared_ptr<Graph>& graph, const torch::jit::Module& module, int image_size,
                          const std::string& subject);

/// Where a trace has written down the number of images, takes it from the images instead.
void free_batch_size(Graph& graph, const BatchSize& found);

}  // namespace graft::graph
