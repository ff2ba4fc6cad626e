#include "graft/backbone/attention.h"

#include <ATen/Functions.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/jit.h>

#include <algorithm>

#include "graft/backbone/branches.h"

namespace graft::graph {
namespace {

namespace prim = c10::prim;

/// What the operators stand for, under their names and with their first arguments in their order.
constexpr const char* kWrittenOut = R"(
def _native_multi_head_attention(query, key, value, width: int, heads: int, qkv_weight, qkv_bias, weight, bias):
    images, tokens = query.size(0), query.size(1)
    qkv = torch.linear(query, qkv_weight, qkv_bias).view([images, tokens, 3, heads, width // heads])
    q, k, v = qkv.permute([2, 0, 3, 1, 4]).unbind(0)
    y = torch.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape([images, tokens, width])
    return torch.linear(y, weight, bias)

def feed_forward(x, gelu: bool, weight_1, bias_1, weight_2, bias_2):
    hidden = torch.linear(x, weight_1, bias_1)
    if gelu:
        hidden = torch.gelu(hidden)
    else:
        hidden = torch.relu(hidden)
    return torch.linear(hidden, weight_2, bias_2)

def _transformer_encoder_layer_fwd(x, width: int, heads: int, qkv_weight, qkv_bias, proj_weight, proj_bias, gelu: bool,
                                   norm_first: bool, eps: float, norm_weight_1, norm_bias_1, norm_weight_2, norm_bias_2,
                                   weight_1, bias_1, weight_2, bias_2):
    n = [width]
    if norm_first:
        y = torch.layer_norm(x, n, norm_weight_1, norm_bias_1, eps)
        x = x + _native_multi_head_attention(y, y, y, width, heads, qkv_weight, qkv_bias, proj_weight, proj_bias)
        y = torch.layer_norm(x, n, norm_weight_2, norm_bias_2, eps)
        x = x + feed_forward(y, gelu, weight_1, bias_1, weight_2, bias_2)
    else:
        y = _native_multi_head_attention(x, x, x, width, heads, qkv_weight, qkv_bias, proj_weight, proj_bias)
        x = torch.layer_norm(x + y, n, norm_weight_1, norm_bias_1, eps)
        y = feed_forward(x, gelu, weight_1, bias_1, weight_2, bias_2)
        x = torch.layer_norm(x + y, n, norm_weight_2, norm_bias_2, eps)
    return x
)";
constexpr std::string_view kInferenceOperators[] = {"_native_multi_head_attention", "_transformer_encoder_layer_fwd"};

bool is_inference_operator(const Node* node) {
  return std::ranges::find(kInferenceOperators, node->kind().toUnqualString()) != std::end(kInferenceOperators);
}

/// The branch on whether a gradient is asked for that the node stands in, if any.
Node* path_choice(Node* node) {
  Node* branch = node->owningBlock()->owningNode();
  if (branch == nullptr || branch->kind() != prim::If) return nullptr;
  std::unordered_set<const Node*> needed;
  collect_needed(branch->input(0), needed);
  const bool asks = std::ranges::any_of(needed, [](const Node* part) {
    return part->kind() == prim::requires_grad || part->kind() == c10::Symbol::fromQualString("aten::is_grad_enabled");
  });
  return asks ? branch : nullptr;
}

/// Everything that asks this branch's question hears that the block `avoided` is not taken.
void avoid(Graph& graph, Node* branch, const Block* avoided) {
  torch::jit::WithInsertPoint before(branch);
  branch->input(0)->replaceAllUsesWith(graph.insertConstant(avoided != branch->blocks()[0]));
}

/// Attention of one sequence over itself, without a mask, whose weights nobody reads.
bool can_be_written_out(const Node* node) {
  const auto is_none = [&](const char* name) {
    return !node->hasNamedInput(name) || node->namedInput(name)->mustBeNone();
  };
  if (!is_none("mask")) return false;
  return node->outputs().size() == 1 ||
         (node->outputs()[1]->uses().empty() && node->input(0) == node->input(1) && node->input(0) == node->input(2));
}

void write_out(Graph& graph, Node* node) {
  static const auto unit = torch::jit::compile(kWrittenOut);
  const auto body = torch::jit::toGraphFunction(unit->get_function(node->kind().toUnqualString())).graph()->copy();
  torch::jit::Inline(*body);
  const auto arguments = node->inputs().slice(0, body->inputs().size());
  torch::jit::WithInsertPoint before(node);
  torch::jit::WithCurrentScope of_node(graph, node->scope());
  node->outputs()[0]->replaceAllUsesWith(torch::jit::insertGraph(graph, *body, arguments).at(0));
  node->destroy();
}

/// Replaces questions for the number of a tensor's dimensions by the answers for a square image. What asks them in
/// attention is a branch on whether its input is one sequence or a batch of them. Returns how many were answered.
std::size_t settle_ranks(const std::shared_ptr<Graph>& graph, const torch::jit::Module& self, int image_size) {
  auto probe = graph->copy();
  std::vector<Value*> ranks;
  for (Node* node : probe->nodes())
    if (node->kind() == c10::aten::dim) ranks.push_back(node->output());
  if (ranks.empty()) return 0;
  probe->eraseOutput(0);
  probe->registerOutput(probe->appendNode(probe->createList(c10::IntType::get(), ranks))->output());
  const auto answers = run_graph(probe, self, at::zeros({1, 3, image_size, image_size})).toIntVector();
  std::size_t answered = 0;
  for (Node* node : graph->nodes()) {
    if (node->kind() != c10::aten::dim) continue;
    torch::jit::WithInsertPoint before(node);
    node->output()->replaceAllUsesWith(graph->insertConstant(answers.at(answered++)));
  }
  torch::jit::EliminateDeadCode(graph);
  return answered;
}

}  // namespace

int use_differentiable_attention(const std::shared_ptr<Graph>& graph, const torch::jit::Module& self, TwoPaths choice,
                                 int image_size) {
  int written_out = 0, paths_left = 0;
  for (Node* node : all_nodes(graph->block())) {
    if (!is_inference_operator(node)) continue;
    Node* branch = path_choice(node);
    if (branch != nullptr && choice == TwoPaths::kKeep) continue;
    if (branch != nullptr) {
      avoid(*graph, branch, node->owningBlock());
      ++paths_left;
    } else if (can_be_written_out(node)) {
      write_out(*graph, node);
      ++written_out;
    }
  }
  if (written_out + paths_left > 0) resolve_branches(graph, self);
  while (paths_left > 0 && settle_ranks(graph, self, image_size) > 0) resolve_branches(graph, self);
  return written_out + paths_left;
}

}  // namespace graft::graph
