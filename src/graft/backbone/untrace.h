#pragma once
#include <torch/csrc/jit/api/module.h>

namespace graft {

/// What tracing had fixed and untrace() has freed.
struct Untraced {
  int batch_norms = 0;
  int dropouts = 0;
  int stuck = 0;  ///< operators whose module has no `training` flag to read: they stay in eval mode
};

/// In a traced file the mode of BatchNorm and dropout is a constant. Makes each read its module's `training` flag
/// again, so that the file fine-tunes as a scripted one does; eval mode is unchanged. Scripted modules are left as they
/// are. Call it before the first forward: a plan already made would keep the constants.
Untraced untrace(torch::jit::Module& module);

}  // namespace graft
