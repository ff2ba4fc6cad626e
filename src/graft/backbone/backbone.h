#pragma once
#include <torch/csrc/jit/api/module.h>

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "graft/backbone/classifier.h"
#include "graft/backbone/pooling.h"
#include "graft/backbone/repair.h"
#include "graft/backbone/stages.h"
#include "graft/core/trust.h"

namespace graft {

enum class BackboneKind { kScripted, kTraced, kFrozen };
std::string to_string(BackboneKind kind);

/// What a user may have to say of a file.
struct BackboneOptions {
  int image_size = 224;          ///< side of the square images it is tried on, pixels
  FeaturesChoice features = {};  ///< where the features are
  PoolSpec pool = {};            ///< how features that are maps or tokens become vectors
  Trust trust = Trust::kScan;    ///< in the file's program
};

/// A pretrained network made ready for transfer: its classifier cut off, its `forward` returning features, its legal
/// boundaries known.
///
/// Boundaries are counted from 0, the normalised images themselves, to last_boundary(), the features. Parameters keep
/// the names that they have in the file.
class Backbone {
 public:
  /// Loads, un-traces or thaws, and cuts. Feature maps [N, C, H, W] and token sequences [N, T, C] are pooled.
  /// @throws Error when the file is no TorchScript, does not run on such images or has no features to give, and where a
  /// pooling other than the mean is asked for and there is nothing to pool.
  static Backbone load(const std::filesystem::path& path, const BackboneOptions& options);
  /// The same file and surgery with the file's own tensors, in half the time: it has been tried out.
  Backbone reload() const;

  const std::filesystem::path& path() const { return path_; }
  const BackboneOptions& options() const { return options_; }
  BackboneKind kind() const { return kind_; }
  int image_size() const { return options_.image_size; }
  const Classifier& classifier() const { return classifier_; }
  /// Kind, classifier, features and stages in one line.
  std::string summary() const;
  /// What was found in the file and what was done about it, a sentence each, for people.
  const std::vector<std::string>& notes() const { return notes_; }
  /// Length of a feature vector.
  std::int64_t num_features() const { return num_features_; }
  const std::vector<Stage>& stages() const { return stages_; }
  std::size_t last_boundary() const { return boundaries_.size(); }
  /// The module that ends at a boundary, "images" for 0, "features" for the last; a number where no module ends.
  std::string boundary_name(std::size_t boundary) const;
  /// Names of the boundaries at which a module ends, images and features included.
  std::vector<std::string> module_boundaries() const;
  /// The deepest boundary below which none of these parameters is used.
  std::size_t boundary_below(const std::set<std::string>& parameters) const;

  /// forward(float [N, 3, S, S]) -> [N, num_features].
  torch::jit::Module& module() { return module_; }
  const torch::jit::Module& module() const { return module_; }
  /// The layers between two boundaries as a method of module(): they share its parameters and its modes. It may write
  /// to its input. Each BatchNorm is one operator with the activation behind it, which has first derivatives alone.
  torch::jit::Method part(std::size_t from, std::size_t to);
  /// The same layers as a graph of their own, (self, rows) -> rows, with the tensors that they have now, in eval mode.
  std::shared_ptr<graph::Graph> frozen_graph(std::size_t from, std::size_t to, at::MemoryFormat layout) const;
  /// SHA-256 of what the layers between two boundaries compute: their graph and the tensors that they have now.
  std::string part_digest(std::size_t from, std::size_t to) const;
  /// Shape of what crosses a boundary for one image, without the leading dimension.
  const std::vector<std::int64_t>& crossing_sizes(std::size_t boundary) const;
  /// The boundary behind `part` (0 to 1) of the convolutions and linear layers between two others, and behind what
  /// follows them: their normalisation and activation. `to` when there is none before it.
  std::size_t boundary_at(double part, std::size_t from, std::size_t to) const;

  /// The whole network as one flat graph (self, images) -> features.
  const std::shared_ptr<graph::Graph>& graph() const { return graph_; }

  /// Where its parameters are.
  c10::Device device() const;
  /// Parameters that the features depend on, in the file's order, shared ones once.
  const std::vector<std::pair<std::string, at::Tensor>>& parameters() const { return parameters_; }
  /// Those and the buffers.
  std::map<std::string, at::Tensor> tensors() const;
  /// Copies values in by name. @throws Error on an unknown name or another shape.
  void set_tensors(const std::map<std::string, at::Tensor>& values);

 private:
  Backbone() = default;
  static Backbone load(const std::filesystem::path& path, const BackboneOptions& options,
                       const std::optional<graph::BatchSize>& known);
  void operate(const std::optional<graph::BatchSize>& known);
  void pool_features(const std::vector<std::int64_t>& sizes);
  std::shared_ptr<graph::Graph> part_graph(std::size_t from, std::size_t to) const;
  void collect_parameters();

  std::filesystem::path path_;
  BackboneOptions options_;
  BackboneKind kind_ = BackboneKind::kScripted;
  torch::jit::Module module_;
  std::shared_ptr<graph::Graph> graph_;
  Classifier classifier_;
  std::vector<std::string> notes_;
  graph::BatchSize batch_size_;
  std::int64_t num_features_ = 0;
  std::vector<graph::Boundary> boundaries_;
  std::vector<Stage> stages_;
  std::vector<std::pair<std::string, at::Tensor>> parameters_;
  std::map<std::string, std::size_t> first_use_;
  mutable std::map<std::size_t, std::vector<std::int64_t>> crossing_sizes_;  // those asked for
};

}  // namespace graft
