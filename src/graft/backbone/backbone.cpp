#include "graft/backbone/backbone.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/freeze_module.h>
#include <torch/torch.h>

#include <algorithm>
#include <unordered_map>

#include "graft/backbone/inline_method.h"
#include "graft/core/error.h"
#include "graft/core/torchscript_file.h"

namespace graft {
namespace {

namespace prim = c10::prim;
using graph::Graph;
using torch::jit::Module;

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

/// Scripted types carry the constants of the Python class (strides, paddings); a trace has none, a frozen file not even
/// parameters.
BackboneKind kind_of(const Module& module) {
  for (const auto& submodule : module.modules())
    if (submodule.type()->numConstants() > 0) return BackboneKind::kScripted;
  const bool has_tensors = module.named_parameters().size() + module.named_buffers().size() > 0;
  return has_tensors ? BackboneKind::kTraced : BackboneKind::kFrozen;
}

/// An exported model of Graft gives its features by a method of that name, behind preprocessing of its own.
bool is_artifact(const Module& module) {
  return module.find_method("features") && module.find_method("logits") && module.find_method("preprocess") &&
         module.hasattr("classes");
}

Classifier own_head(const Module& artifact, std::int64_t num_features) {
  return {"head", num_features, static_cast<std::int64_t>(artifact.attr("classes").toListRef().size()),
          "the artifact's own head, cut off"};
}

at::Tensor run_probe(const std::shared_ptr<Graph>& graph, const Module& module, int image_size,
                     const std::string& subject) {
  const std::string images = "[1, 3, " + std::to_string(image_size) + ", " + std::to_string(image_size) + "]";
  try {
    return graph::run_graph(graph, module, torch::zeros({1, 3, image_size, image_size})).toTensor();
  } catch (const std::exception& error) {
    throw Error({subject, "does not run on images " + images + " (" + first_line(error.what()) + ")",
                 "a network for such images", "set input.size in the recipe, or --set input.size=N"});
  }
}

/// Appends the mean over space or tokens, so that features are [N, C].
void pool_features(Graph& graph, const at::Tensor& sample, const std::string& subject) {
  if (sample.dim() == 2) return;
  if (sample.dim() != 3 && sample.dim() != 4)
    throw Error({subject, "its features have " + std::to_string(sample.dim()) + " dimensions",
                 "[N, C], [N, T, C] or [N, C, H, W]", ""});
  // Square maps with another last dimension are laid out [N, H, W, C], as some attention networks give them.
  const bool channels_last = sample.dim() == 4 && sample.size(1) == sample.size(2) && sample.size(3) != sample.size(2);
  const std::vector<std::int64_t> over = sample.dim() == 3 ? std::vector<std::int64_t>{1}
                                         : channels_last   ? std::vector<std::int64_t>{1, 2}
                                                           : std::vector<std::int64_t>{2, 3};
  torch::jit::WithInsertPoint at_end(graph.block()->return_node());
  torch::jit::Value* pooled = graph.insert(c10::aten::mean, {graph.outputs()[0], over, false});
  graph.eraseOutput(0);
  graph.registerOutput(pooled);
}

/// Paths of everything that the graph reads from its module.
std::set<std::string> read_paths(Graph& graph) {
  std::set<std::string> paths;
  for (const auto* node : graph::all_nodes(graph.block()))
    for (const auto* output : node->outputs())
      if (const auto path = graph::attribute_path(output)) paths.insert(*path);
  return paths;
}

/// Takes submodules and tensors that the features do not need out of the file. A type that several modules share is
/// left as it is.
void remove_unread(Module module, const std::string& path, const std::set<std::string>& read,
                   const std::unordered_map<const c10::ClassType*, int>& instances) {
  if (instances.at(module.type().get()) != 1) return;
  const auto is_read = [&](const std::string& name) {
    const auto full = path.empty() ? name : path + "." + name;
    const auto next = read.lower_bound(full);
    return next != read.end() && (*next == full || next->starts_with(full + "."));
  };
  std::vector<std::string> unread;
  for (const auto& attribute : module.type()->getAttributes()) {
    const bool removable =
        attribute.getType()->is_module() || attribute.getType()->isSubtypeOf(*c10::TensorType::get());
    if (removable && !is_read(attribute.getName())) unread.push_back(attribute.getName());
  }
  for (const auto& name : unread) {
    module._ivalue()->unsafeRemoveSlot(module.type()->getAttributeSlot(name));
    module.type()->unsafeRemoveAttribute(name);
  }
  for (const auto& child : module.named_children())
    remove_unread(child.value, path.empty() ? child.name : path + "." + child.name, read, instances);
}

void keep_only(Module& module, const std::shared_ptr<Graph>& graph) {
  std::unordered_map<const c10::ClassType*, int> instances;
  for (const auto& submodule : module.modules()) ++instances[submodule.type().get()];
  graph::remove_methods(module);
  remove_unread(module, "", read_paths(*graph), instances);
  graph::add_method(module, "forward", graph->copy());
}

void use_channels_last(Module& module) {
  for (auto parameter : module.parameters())
    if (parameter.dim() == 4) parameter.set_data(parameter.contiguous(at::MemoryFormat::ChannelsLast));
}

}  // namespace

std::string to_string(BackboneKind kind) {
  return kind == BackboneKind::kScripted ? "scripted" : kind == BackboneKind::kTraced ? "traced" : "frozen";
}

Backbone Backbone::load(const std::filesystem::path& path, int image_size, Trust trust) {
  const std::string subject = "backbone '" + path.string() + "'";
  Backbone backbone;
  backbone.path_ = path;
  backbone.image_size_ = image_size;
  backbone.trust_ = trust;
  backbone.module_ = load_torchscript(path, "backbone", trust);
  backbone.module_.eval();
  backbone.kind_ = kind_of(backbone.module_);
  backbone.untraced_ = untrace(backbone.module_);
  const bool artifact = is_artifact(backbone.module_);
  backbone.graph_ = graph::inline_method(backbone.module_, artifact ? "features" : "forward", subject);
  if (!artifact) backbone.classifier_ = graph::cut_classifier(backbone.graph_, backbone.module_, subject);
  const at::Tensor raw = run_probe(backbone.graph_, backbone.module_, image_size, subject);
  pool_features(*backbone.graph_, raw, subject);
  backbone.num_features_ =
      raw.dim() == 2 ? raw.size(1) : run_probe(backbone.graph_, backbone.module_, image_size, subject).size(1);
  if (artifact) backbone.classifier_ = own_head(backbone.module_, backbone.num_features_);
  keep_only(backbone.module_, backbone.graph_);
  backbone.boundaries_ = graph::find_boundaries(*backbone.graph_);
  TORCH_CHECK(!backbone.boundaries_.empty(), "the features are no boundary of ", path.string());
  backbone.collect_parameters();
  return backbone;
}

void Backbone::collect_parameters() {
  const auto uses = graph::first_uses(*graph_);
  std::unordered_map<const void*, std::string> names;
  std::vector<std::pair<std::string, std::int64_t>> dimensions;
  for (const auto& parameter : module_.named_parameters()) {
    const auto use = uses.find(parameter.name);
    if (use == uses.end()) continue;
    const auto [known, is_new] = names.emplace(parameter.value.unsafeGetTensorImpl(), parameter.name);
    auto& first = first_use_.emplace(known->second, use->second).first->second;
    first = std::min(first, use->second);
    if (!is_new) continue;
    parameters_.emplace_back(parameter.name, parameter.value);
    dimensions.emplace_back(parameter.name, parameter.value.dim());
  }
  stages_ = graph::find_stages(*graph_, boundaries_, dimensions);
}

std::string Backbone::boundary_name(std::size_t boundary) const {
  if (boundary == 0) return "images";
  if (boundary == last_boundary()) return "features";
  const auto& name = boundaries_[boundary - 1].name;
  return name.empty() ? "boundary " + std::to_string(boundary) : name;
}

std::size_t Backbone::boundary_below(const std::set<std::string>& parameters) const {
  std::size_t first = std::numeric_limits<std::size_t>::max();
  for (const auto& parameter : parameters) first = std::min(first, first_use_.at(parameter));
  std::size_t boundary = 0;
  while (boundary < boundaries_.size() && boundaries_[boundary].node < first) ++boundary;
  return boundary;
}

std::shared_ptr<Graph> Backbone::part_graph(std::size_t from, std::size_t to) const {
  TORCH_CHECK(from < to && to <= last_boundary(), "no part from boundary ", from, " to ", to);
  return from == 0 ? graph::prefix_of(graph_, boundaries_[to - 1])
                   : graph::between(graph_, boundaries_[from - 1], boundaries_[to - 1]);
}

torch::jit::Method Backbone::part(std::size_t from, std::size_t to) {
  if (from == 0 && to == last_boundary()) return module_.get_method("forward");
  const std::string name = "graft_part_" + std::to_string(from) + "_" + std::to_string(to);
  if (!module_.find_method(name)) graph::add_method(module_, name, part_graph(from, to));
  return module_.get_method(name);
}

Module Backbone::frozen_part(std::size_t from, std::size_t to) const {
  Backbone fresh = reload();
  fresh.set_tensors(tensors());
  keep_only(fresh.module_, fresh.part_graph(from, to));
  use_channels_last(fresh.module_);
  fresh.module_.to(device());
  return torch::jit::freeze_module(fresh.module_);
}

c10::Device Backbone::device() const {
  return parameters_.empty() ? c10::Device(c10::kCPU) : parameters_.front().second.device();
}

std::map<std::string, at::Tensor> Backbone::tensors() const {
  std::map<std::string, at::Tensor> tensors(parameters_.begin(), parameters_.end());
  for (const auto& buffer : module_.named_buffers()) tensors.emplace(buffer.name, buffer.value);
  return tensors;
}

void Backbone::set_tensors(const std::map<std::string, at::Tensor>& values) {
  torch::NoGradGuard no_grad;
  auto own = tensors();
  for (const auto& [name, value] : values) {
    const auto found = own.find(name);
    if (found == own.end() || found->second.sizes() != value.sizes())
      throw Error({"backbone '" + path_.string() + "'",
                   "tensor " + name + (found == own.end() ? " is not in it" : " has another shape"),
                   "the file that the tensors were trained from", "was the file replaced?"});
    found->second.copy_(value);
  }
}

}  // namespace graft
