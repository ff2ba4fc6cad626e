#include "graft/backbone/repair.h"

#include <ATen/Functions.h>
#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "graft/core/error.h"
#include "graft/core/reason.h"

namespace graft::graph {
namespace {

namespace prim = c10::prim;
using torch::jit::Module;

bool is_other_float(c10::ScalarType type) { return c10::isFloatingType(type) && type != c10::kFloat; }

void convert_attributes(const Module& module, std::string& found) {
  for (const auto& submodule : module.modules()) {
    for (std::size_t slot = 0; slot < submodule.type()->numAttributes(); ++slot) {
      const c10::IValue value = submodule._ivalue()->getSlot(slot);
      if (!value.isTensor() || !value.toTensor().defined() || value.toTensor().dim() == 0 ||
          !is_other_float(value.toTensor().scalar_type()))
        continue;
      found = c10::toString(value.toTensor().scalar_type());
      at::Tensor tensor = value.toTensor();
      tensor.set_data(tensor.detach().to(c10::kFloat));
    }
  }
}

void convert_constants(Graph& graph, std::string& found) {
  for (Node* node : all_nodes(graph.block())) {
    if (node->kind() != prim::Constant) continue;
    const auto value = torch::jit::toIValue(node->output());
    if (!value || !value->isTensor() || value->toTensor().dim() == 0 ||
        !is_other_float(value->toTensor().scalar_type()))
      continue;
    found = c10::toString(value->toTensor().scalar_type());
    torch::jit::WithInsertPoint at_constant(node);
    node->output()->replaceAllUsesWith(graph.insertConstant(value->toTensor().to(c10::kFloat)));
  }
}

/// Constant inputs that say a result's type.
void convert_type_arguments(Graph& graph) {
  for (Node* node : all_nodes(graph.block())) {
    const auto* schema = node->maybeSchema();
    for (std::size_t i = 0; schema != nullptr && i < node->inputs().size(); ++i) {
      if (schema->arguments()[i].name() != "dtype") continue;
      const auto type = torch::jit::toIValue(node->input(i));
      if (!type || !type->isInt() || !is_other_float(static_cast<c10::ScalarType>(type->toInt()))) continue;
      torch::jit::WithInsertPoint before(node);
      node->replaceInput(i, graph.insertConstant(static_cast<std::int64_t>(c10::kFloat)));
    }
  }
}

bool is_tensor_list(const Value* value) {
  const auto list = value->type()->cast<c10::ListType>();
  return list && list->getElementType()->isSubtypeOf(*c10::TensorType::get());
}

Module module_at(const Module& root, const Value* owner) {
  if (owner->node()->kind() == prim::Param) return root;
  return module_at(root, owner->node()->input(0)).attr(owner->node()->s(c10::attr::name)).toModule();
}

/// The module's own parameters that a list repeats, in its order; nothing where a tensor is no parameter. Of equal
/// parameters, such as biases of zero, each stands once, in the order of both.
std::optional<std::vector<std::string>> parameters_repeated(const Module& owner, const c10::IValue& list) {
  std::vector<std::string> names;
  std::set<std::string> taken;
  for (const at::Tensor& tensor : list.toTensorVector()) {
    const std::size_t before = names.size();
    for (const auto& parameter : owner.named_parameters(/*recurse=*/false)) {
      if (taken.contains(parameter.name) || parameter.value.scalar_type() != tensor.scalar_type() ||
          !at::equal(parameter.value, tensor))
        continue;
      names.push_back(parameter.name);
      taken.insert(parameter.name);
      break;
    }
    if (names.size() == before) return std::nullopt;
  }
  return names;
}

/// A parameter that the graph reads: where it is, the network is.
Value* any_parameter(Graph& graph) {
  for (Node* node : graph.nodes())
    if (node->kind() == prim::GetAttr && is_tensor(node->output()) && attribute_path(node->output()))
      return node->output();
  return nullptr;
}

/// Reads the same attribute anew at the start of the graph.
Value* read_at_start(Graph& graph, const Value* attribute) {
  const Node* node = attribute->node();
  if (node->kind() == prim::Param) return graph.inputs()[0];
  Value* owner = read_at_start(graph, node->input(0));
  return graph.insertGetAttr(owner, node->s(c10::attr::name));
}

std::optional<at::Tensor> try_run(const std::shared_ptr<Graph>& graph, const Module& module, const at::Tensor& images,
                                  std::string* reason = nullptr) {
  try {
    const auto result = run_graph(graph, module, images);
    if (result.isTensor() && result.toTensor().dim() > 0 && result.toTensor().size(0) == images.size(0))
      return result.toTensor();
    if (reason != nullptr) *reason = "its output does not count the images";
  } catch (const std::exception& error) {
    if (reason != nullptr) *reason = reason_in(error.what());
  }
  return std::nullopt;
}

at::Tensor sample_images(std::int64_t count, int image_size) {
  const auto ramp = at::linspace(-2, 2, 3 * image_size * image_size).view({1, 3, image_size, image_size});
  std::vector<at::Tensor> images;
  for (std::int64_t i = 0; i < count; ++i) images.push_back(at::sin(ramp * (5.0 + 7.0 * static_cast<double>(i))));
  return at::cat(images);
}

constexpr std::array kImageSizes{224, 256, 299, 288, 320, 384, 240, 192, 160, 128, 96, 64, 32, 336, 448, 512, 518};
constexpr std::array<std::int64_t, 8> kBatchSizes{1, 2, 3, 4, 8, 16, 32, 64};

[[noreturn]] void throw_wrong_size(const std::shared_ptr<Graph>& graph, const Module& module, int image_size,
                                   const std::string& reason, const std::string& subject) {
  const std::string found = "does not run on images of " + std::to_string(image_size) + " x " +
                            std::to_string(image_size) + " px (" + reason + ")";
  for (const int size : kImageSizes)
    if (size != image_size && try_run(graph, module, at::zeros({1, 3, size, size})))
      throw Error({subject, found, "another size: it runs on " + std::to_string(size) + " px",
                   "--set input.size=" + std::to_string(size) + " (graft inspect: --size)"});
  throw Error({subject, found, "float images [N, 3, S, S]", "set input.size in the recipe, or --set input.size=N"});
}

/// Operators whose list of sizes may start with the number of images.
const std::set<std::string, std::less<>> kSized{"aten::view", "aten::reshape", "aten::expand",    "aten::zeros",
                                                "aten::ones", "aten::empty",   "aten::full",      "aten::repeat",
                                                "aten::rand", "aten::randn",   "aten::unflatten", "aten::_unsafe_view"};

/// The items of a list of sizes as values, or nothing when its first item is no constant `batch`.
std::vector<Value*> sizes_starting_with(Graph& graph, Value* list, std::int64_t batch) {
  if (list->node()->kind() == prim::ListConstruct) {
    const auto inputs = list->node()->inputs();
    const auto first = inputs.empty() ? std::nullopt : torch::jit::toIValue(inputs[0]);
    return first && first->isInt() && first->toInt() == batch ? inputs.vec() : std::vector<Value*>{};
  }
  const auto constant = torch::jit::toIValue(list);
  if (!constant || !constant->isIntList() || constant->toIntVector().empty() || constant->toIntVector()[0] != batch)
    return {};
  std::vector<Value*> items;
  for (const auto item : constant->toIntVector()) items.push_back(graph.insertConstant(item));
  return items;
}

/// Writes the number of images into every list of sizes that starts with `batch`: -1 where the operator infers it, else
/// what the images have.
void free_sizes(Graph& graph, std::int64_t batch) {
  Value* images = graph.inputs()[1];
  for (Node* node : all_nodes(graph.block())) {
    if (!kSized.contains(node->kind().toQualString())) continue;
    for (std::size_t i = 0; i < node->inputs().size(); ++i) {
      torch::jit::WithInsertPoint before(node);
      auto items = sizes_starting_with(graph, node->input(i), batch);
      if (items.empty()) continue;
      const auto is_inferred = [](Value* item) {
        const auto constant = torch::jit::toIValue(item);
        return !constant || !constant->isInt() || constant->toInt() < 0;
      };
      const bool infers = node->kind() == c10::aten::view || node->kind() == c10::aten::reshape;
      items[0] = infers && std::none_of(items.begin() + 1, items.end(), is_inferred)
                     ? graph.insertConstant(-1)
                     : graph.insert(c10::aten::size, {images, 0});
      Node* list = graph.insertNode(graph.createList(c10::IntType::get(), items));
      node->replaceInput(i, list->output());
    }
  }
}

bool same_answers(const std::shared_ptr<Graph>& fixed, const std::shared_ptr<Graph>& freed, const Module& module,
                  std::int64_t batch, int image_size) {
  const at::Tensor images = sample_images(batch, image_size);
  const auto expected = try_run(fixed, module, images);
  const auto together = try_run(freed, module, images);
  if (!expected || !together || !at::equal(*expected, *together)) return false;
  const at::Tensor twice = at::cat({images, images.flip(0)});
  const auto more = try_run(freed, module, twice);
  const double tolerance = 1e-5 * expected->abs().max().item<double>();
  return more && (more->slice(0, 0, batch) - *expected).abs().max().item<double>() <= tolerance &&
         (more->slice(0, batch).flip(0) - *expected).abs().max().item<double>() <= tolerance;
}

}  // namespace

std::string use_float32(Module& module, Graph& graph) {
  std::string found;
  convert_attributes(module, found);
  convert_constants(graph, found);
  if (!found.empty()) convert_type_arguments(graph);
  return found;
}

void read_parameters_in_lists(const Module& module, Graph& graph) {
  for (Node* node : all_nodes(graph.block())) {
    if (node->kind() != prim::GetAttr || !is_tensor_list(node->output()) || !attribute_path(node->output())) continue;
    const Module owner = module_at(module, node->input(0));
    const auto names = parameters_repeated(owner, owner.attr(node->s(c10::attr::name)));
    if (!names) continue;
    const torch::jit::WithInsertPoint at_read(node);
    std::vector<Value*> parameters;
    for (const auto& name : *names) parameters.push_back(graph.insertGetAttr(node->input(0), name));
    Node* list = graph.insertNode(graph.createList(c10::TensorType::get(), parameters));
    node->output()->replaceAllUsesWith(list->output());
  }
}

int free_devices(Graph& graph) {
  const Value* parameter = any_parameter(graph);
  if (parameter == nullptr) return 0;
  int freed = 0;
  for (Node* node : all_nodes(graph.block())) {
    if (node->kind() != prim::Constant || node->output()->type()->kind() != c10::TypeKind::DeviceObjType) continue;
    torch::jit::WithInsertPoint at_start(*graph.block()->nodes().begin());
    node->output()->replaceAllUsesWith(graph.insert(prim::device, {read_at_start(graph, parameter)}));
    ++freed;
  }
  return freed;
}

BatchSize find_batch_size(const std::shared_ptr<Graph>& graph, const Module& module, int image_size,
                          const std::string& subject) {
  std::string reason;
  const auto run = [&](const std::shared_ptr<Graph>& some, std::int64_t batch) {
    return try_run(some, module, at::zeros({batch, 3, image_size, image_size}), &reason);
  };
  const auto one = run(graph, 1);
  if (one && run(graph, 2)) return {0, one->sizes().vec()};
  const auto fixed =
      std::ranges::find_if(kBatchSizes, [&](std::int64_t batch) { return run(graph, batch).has_value(); });
  if (fixed == kBatchSizes.end()) throw_wrong_size(graph, module, image_size, reason, subject);
  const auto freed = graph->copy();
  free_sizes(*freed, *fixed);
  if (!same_answers(graph, freed, module, *fixed, image_size))
    throw Error({subject, "runs on batches of " + std::to_string(*fixed) + " images only", "any number of images",
                 "trace it with sizes taken from the input, or script it"});
  const auto mended = run(freed, 1);
  if (!mended) throw_wrong_size(freed, module, image_size, reason, subject);
  return {*fixed, mended->sizes().vec()};
}

void free_batch_size(Graph& graph, const BatchSize& found) {
  if (found.fixed > 0) free_sizes(graph, found.fixed);
}

}  // namespace graft::graph
