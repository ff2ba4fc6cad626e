#include "graft/backbone/backbone.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <unordered_map>

#include "graft/backbone/attention.h"
#include "graft/backbone/freeze.h"
#include "graft/backbone/fused_batch_norm.h"
#include "graft/backbone/inline_method.h"
#include "graft/backbone/thaw.h"
#include "graft/backbone/untrace.h"
#include "graft/core/error.h"
#include "graft/core/hash.h"
#include "graft/core/torchscript_file.h"

namespace graft {
namespace {

namespace prim = c10::prim;
using graph::Graph;
using torch::jit::Module;

/// A frozen file has no tensors left; scripted types carry the constants of the Python class (strides, paddings), which
/// a trace has not.
BackboneKind kind_of(const Module& module) {
  if (module.named_parameters().size() + module.named_buffers().size() == 0) return BackboneKind::kFrozen;
  for (const auto& submodule : module.modules())
    if (submodule.type()->numConstants() > 0) return BackboneKind::kScripted;
  return BackboneKind::kTraced;
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

/// Paths of everything that the graph reads from its module.
std::set<std::string> read_paths(Graph& graph) {
  std::set<std::string> paths;
  for (const auto* node : graph::all_nodes(graph.block()))
    for (const auto* output : node->outputs())
      if (const auto path = graph::attribute_path(output)) paths.insert(*path);
  return paths;
}

/// A graph's text without the numbers that its classes carry: they depend on what else this process has loaded.
std::string without_mangling(const std::string& text) {
  static constexpr std::string_view kMark = "___torch_mangle_";
  std::string kept;
  std::size_t begin = 0;
  for (auto mark = text.find(kMark); mark != std::string::npos; mark = text.find(kMark, begin)) {
    kept.append(text, begin, mark - begin);
    begin = std::min(text.size(), text.find('.', mark)) + 1;
  }
  return begin < text.size() ? kept.append(text, begin) : kept;
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

void describe_thawing(const Thawed& thawed, std::vector<std::string>& notes) {
  notes.push_back("the file is frozen: " + std::to_string(thawed.parameters) +
                  " weights are parameters again, named after their operators; dropout is gone");
  if (thawed.batch_norms == 0)
    notes.push_back(
        "it holds no BatchNorm: if its network had any, freezing has folded them into the layers before them "
        "for good");
}

}  // namespace

std::string to_string(BackboneKind kind) {
  return kind == BackboneKind::kScripted ? "scripted" : kind == BackboneKind::kTraced ? "traced" : "frozen";
}

Backbone Backbone::load(const std::filesystem::path& path, const BackboneOptions& options) {
  return load(path, options, std::nullopt);
}

Backbone Backbone::reload() const { return load(path_, options_, batch_size_); }

Backbone Backbone::load(const std::filesystem::path& path, const BackboneOptions& options,
                        const std::optional<graph::BatchSize>& known) {
  Backbone backbone;
  backbone.path_ = path;
  backbone.options_ = options;
  backbone.module_ = load_torchscript(path, "backbone", options.trust);
  backbone.module_.eval();
  backbone.kind_ = kind_of(backbone.module_);
  backbone.operate(known);
  keep_only(backbone.module_, backbone.graph_);
  backbone.boundaries_ = graph::find_boundaries(*backbone.graph_);
  TORCH_CHECK(!backbone.boundaries_.empty(), "the features are no boundary of ", path.string());
  backbone.crossing_sizes_[backbone.last_boundary()] = {backbone.num_features_};
  backbone.collect_parameters();
  return backbone;
}

void Backbone::operate(const std::optional<graph::BatchSize>& known) {
  const std::string subject = "backbone '" + path_.string() + "'";
  const auto note = [&](bool holds, const std::string& text) {
    if (holds) notes_.push_back(text);
  };
  const Untraced untraced = kind_ == BackboneKind::kFrozen ? Untraced{} : untrace(module_);
  // Beside a traced forward stand scripted methods, and scripted types, where the network exports some.
  if (untraced.batch_norms + untraced.dropouts > 0) kind_ = BackboneKind::kTraced;
  note(untraced.stuck > 0,
       std::to_string(untraced.stuck) + " layers have no training flag: their BatchNorm and dropout stay in eval mode");
  const bool artifact = is_artifact(module_);
  graph_ = graph::inline_method(module_, artifact ? "features" : "forward", subject);
  if (is_frozen(*graph_)) kind_ = BackboneKind::kFrozen;
  graph::read_parameters_in_lists(module_, *graph_);
  const std::string precision = graph::use_float32(module_, *graph_);
  note(!precision.empty(), "its tensors are " + precision + ": they are computed with, and exported, as float32");
  const int attentions = graph::use_differentiable_attention(
      graph_, module_, kind_ == BackboneKind::kFrozen ? graph::TwoPaths::kTrained : graph::TwoPaths::kKeep,
      options_.image_size);
  note(attentions > 0, "attention in " + std::to_string(attentions) +
                           " places was written for inference alone: written out, it can train; answers differ by "
                           "rounding");
  if (kind_ == BackboneKind::kFrozen) describe_thawing(thaw(module_, graph_), notes_);
  graph::free_devices(*graph_);
  if (!artifact) classifier_ = graph::cut_classifier(graph_, module_, options_.features, subject);
  note(classifier_.outputs_dropped > 0,
       "one of its outputs is taken, " + std::to_string(classifier_.outputs_dropped) + " more are dropped");
  batch_size_ = known ? *known : graph::find_batch_size(graph_, module_, options_.image_size, subject);
  graph::free_batch_size(*graph_, batch_size_);
  note(batch_size_.fixed > 0,
       "it was traced for batches of " + std::to_string(batch_size_.fixed) + ": any number of images runs now");
  pool_features(batch_size_.feature_sizes);
  if (artifact) classifier_ = own_head(module_, num_features_);
  note(!classifier_.found(), "classifier: " + classifier_.rule);
}

/// Pools over space or tokens where the features are not [N, C] yet.
void Backbone::pool_features(const std::vector<std::int64_t>& sizes) {
  if (sizes.size() < 2 || sizes.size() > 4)
    throw Error({"backbone '" + path_.string() + "'",
                 "its features have " + std::to_string(sizes.size()) + " dimensions",
                 "[N, C], [N, T, C] or [N, C, H, W]", "--features PATH takes what a module gives"});
  // Square maps with another last dimension are laid out [N, H, W, C], as some attention networks give them.
  const bool channels_last = sizes.size() == 4 && sizes[1] == sizes[2] && sizes[3] != sizes[2];
  num_features_ = sizes.size() == 4 && !channels_last ? sizes[1] : sizes.back();
  if (sizes.size() == 2) {
    if (options_.pool.name == PoolSpec{}.name) return;
    throw Error({"backbone.pool", "is " + options_.pool.name + ", and the features are vectors already",
                 "features that are a map or tokens",
                 "\"backbone\": {\"features\": MODULE} names a module that gives a map"});
  }
  const std::vector<std::int64_t> over = sizes.size() == 3 ? std::vector<std::int64_t>{1}
                                         : channels_last   ? std::vector<std::int64_t>{1, 2}
                                                           : std::vector<std::int64_t>{2, 3};
  num_features_ *= graph::append_pooling(*graph_, module_, options_.pool, over);
}

std::string Backbone::summary() const {
  const std::string classifier = classifier_.found()
                                     ? "classifier '" + classifier_.path + "' (" + std::to_string(classifier_.in) +
                                           " -> " + std::to_string(classifier_.out) + ") " + classifier_.rule
                                     : "no classifier";
  return "backbone: " + to_string(kind_) + "; " + classifier + "; " + std::to_string(num_features_) + " features, " +
         std::to_string(stages_.size()) + " stages";
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

std::vector<std::string> Backbone::module_boundaries() const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i <= last_boundary(); ++i)
    if (i == 0 || i == last_boundary() || !boundaries_[i - 1].name.empty()) names.push_back(boundary_name(i));
  return names;
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
  const std::string name = "graft_part_" + std::to_string(from) + "_" + std::to_string(to);
  if (!module_.find_method(name)) {
    const auto graph = part_graph(from, to);
    graph::fuse_batch_norms(*graph);
    graph::add_method(module_, name, graph);
  }
  return module_.get_method(name);
}

std::shared_ptr<Graph> Backbone::frozen_graph(std::size_t from, std::size_t to, at::MemoryFormat layout) const {
  return graph::freeze(part_graph(from, to), module_, layout);
}

std::string Backbone::part_digest(std::size_t from, std::size_t to) const {
  const auto graph = part_graph(from, to);
  const auto uses = graph::first_uses(*graph);
  std::map<std::string, at::Tensor> read;
  for (const auto& attribute : module_.named_attributes())
    if (attribute.value.isTensor() && uses.contains(attribute.name)) read[attribute.name] = attribute.value.toTensor();
  // The text of a graph leaves out what its constant tensors hold.
  for (const graph::Node* node : graph::all_nodes(graph->block()))
    if (const auto value = graph::constant_tensor(node)) read["constant " + std::to_string(read.size())] = *value;
  return sha256(without_mangling(graph->toString(/*print_source_locations=*/false)) + sha256(read));
}

const std::vector<std::int64_t>& Backbone::crossing_sizes(std::size_t boundary) const {
  auto known = crossing_sizes_.find(boundary);
  if (known != crossing_sizes_.end()) return known->second;
  const at::Tensor image = at::zeros({1, 3, image_size(), image_size()}, device());
  const at::Tensor row = boundary == 0 ? image : graph::run_graph(part_graph(0, boundary), module_, image).toTensor();
  return crossing_sizes_.emplace(boundary, row.sizes().slice(1).vec()).first->second;
}

std::size_t Backbone::boundary_at(double part, std::size_t from, std::size_t to) const {
  const auto node_of = [&](std::size_t boundary) { return boundary == 0 ? 0 : boundaries_[boundary - 1].node + 1; };
  const auto layers = [&](std::size_t until) {
    return static_cast<double>(graph::count_layers(*graph_, node_of(from), node_of(until)));
  };
  std::size_t boundary = from;
  while (boundary < to && layers(boundary) < part * layers(to)) ++boundary;
  while (boundary < to && layers(boundary + 1) == layers(boundary)) ++boundary;
  return boundary;
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
