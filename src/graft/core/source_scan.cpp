#include "graft/core/source_scan.h"

#include <torch/csrc/jit/frontend/lexer.h>

#include <array>
#include <utility>
#include <vector>

#include "graft/core/call_depth.h"
#include "graft/core/error.h"
#include "graft/core/growth_estimate.h"
#include "graft/core/names.h"
#include "graft/core/operator_table.h"

namespace graft {
namespace {

using torch::jit::Token;

// Networks of torchvision and timm reach 4 brackets, 7 blocks, 60 tokens and 60 functions; LibTorch's stack holds ten
// times these limits.
constexpr std::size_t kMaxBrackets = 64;
constexpr std::size_t kMaxBlocks = 64;
constexpr std::int64_t kMaxTokens = 600;
constexpr std::int64_t kMaxElif = 64;
constexpr std::int64_t kMaxCallDepth = 400;
constexpr std::int64_t kMaxGrowth = 1'000'000;
constexpr std::int64_t kMaxDeclaration = 20'000;

/// What has an effect wherever it is reached from: as a function, a tensor's method, an attribute.
constexpr std::array kDangerousMembers{
    "save",          "from_file", "manual_seed", "seed",   "set_grad_enabled", "get_gradients",
    "record_stream", "set_data",  "to_here",     "_print", "set_num_threads",  "__setstate__",
    "__getstate__"};
/// Builtins that print or start work.
constexpr std::array kDangerousNames{"print", "fork", "awaitable", "rpc_async", "rpc_sync", "rpc_remote", "breakpoint"};
constexpr char kEarly[] = "its program computes a default value, which would run while it is loaded";
/// What may be called in a default: it changes types alone.
constexpr std::array kHarmlessEarly{"annotate", "uninitialized", "float", "int", "bool"};

/// Reads one source token by token.
class SourceScan {
 public:
  SourceScan(const std::string& record, const std::string& text, std::map<std::string, Definition>& definitions)
      : lexer_(std::make_shared<torch::jit::Source>(text)), definitions_(definitions) {
    // "code/__torch__/net.py" holds "__torch__.net.…".
    module_ = record.substr(5, record.size() - 8);
    std::replace(module_.begin(), module_.end(), '/', '.');
  }

  std::optional<Refusal> run() {
    while (lexer_.cur().kind != torch::jit::TK_EOF && !refusal_) {
      const Token token = lexer_.next();
      if (token.kind == torch::jit::TK_IDENT && previous_ == '.')
        chain_.push_back(token.text());
      else if (token.kind != '.' || previous_ != torch::jit::TK_IDENT)
        start(token);
      measure(token.kind);
      structure(token);
      grow(token);
      previous_ = token.kind;
    }
    if (!refusal_) end_chain(torch::jit::TK_EOF);
    return refusal_;
  }

 private:
  void refuse(const std::string& found, Refusal::Kind kind = Refusal::Kind::kOperator) {
    if (!refusal_ || kind < refusal_->kind) refusal_ = {kind, found};
  }

  /// A token that goes on with no dotted name: the one before it is whole.
  void start(const Token& token) {
    end_chain(token.kind);
    const bool defines = previous_ == torch::jit::TK_DEF || previous_ == torch::jit::TK_CLASS_DEF;
    if (token.kind == torch::jit::TK_IDENT && !defines)
      chain_ = {token.text()};
    else if (token.kind == '.')
      chain_ = {""};  // a member of what brackets gave
  }

  void end_chain(int next) {
    if (chain_.empty()) return;
    const auto chain = std::exchange(chain_, {});
    const std::string& root = chain.front();
    if (root == "__torch__") return mention(chain, next == '(');
    if (contains(kDangerousNames, root)) return refuse("its program calls " + root);
    if (root == "torch" || root == "ops") return check_operator(chain);
    for (std::size_t i = 1; i < chain.size(); ++i)
      if (contains(kDangerousMembers, chain[i])) return refuse("its program uses " + chain[i]);
    if (next == '(' && may_run_early_ && !(chain.size() == 1 && contains(kHarmlessEarly, root))) refuse(kEarly);
  }

  void check_operator(const std::vector<std::string>& chain) {
    const bool is_torch = chain.front() == "torch";
    if (chain.size() < (is_torch ? 2U : 3U)) return refuse("its program passes on '" + chain.front() + "' as a value");
    const std::string& space = is_torch ? std::string("aten") : chain[1];
    const std::string& name = is_torch ? chain[1] : chain[2];
    const std::string shown = space + "::" + name;
    if (is_quantised_operator(space, name)) return refuse("is quantised (" + shown + ")", Refusal::Kind::kQuantised);
    if (is_inference_only_operator(space, name))
      return refuse("was made by optimize_for_inference (" + shown + ")", Refusal::Kind::kOptimised);
    if (!is_allowed_operator(space, name)) return refuse("its program uses the operator " + shown);
    if (may_run_early_ && shown != "aten::device") refuse(kEarly);
  }

  void mention(const std::vector<std::string>& chain, bool called) {
    std::string name = chain.front();
    for (std::size_t i = 1; i < chain.size(); ++i) name += "." + chain[i];
    if (name.starts_with("__torch__.torch.classes.quantized") || name.starts_with("__torch__.torch.ao.nn.quantized") ||
        name.starts_with("__torch__.torch.nn.quantized"))
      return refuse("is quantised (" + name.substr(10) + ")", Refusal::Kind::kQuantised);
    if (name.starts_with("__torch__.torch.classes"))
      return refuse("its program uses the custom class " + name.substr(10));
    if (called && may_run_early_) refuse(kEarly);
    if (definition_ != nullptr) definition_->mentions.insert(name);
  }

  /// What a recursive parser would recurse over: brackets, and what stands between two commas.
  void measure(int kind) {
    if (kind == '(' || kind == '[' || kind == '{') {
      runs_.push_back(0);
    } else if ((kind == ')' || kind == ']' || kind == '}') && runs_.size() > 1) {
      tokens_ -= runs_.back();
      runs_.pop_back();
    } else if (kind == ',' || kind == torch::jit::TK_NEWLINE || kind == torch::jit::TK_INDENT ||
               kind == torch::jit::TK_DEDENT) {
      tokens_ -= runs_.back();
      runs_.back() = 0;
    }
    ++runs_.back();
    ++tokens_;
    if (runs_.size() > kMaxBrackets)
      refuse("its program nests more than " + std::to_string(kMaxBrackets) + " brackets");
    if (tokens_ > kMaxTokens)
      refuse("its program holds an expression of more than " + std::to_string(kMaxTokens) + " tokens");
  }

  /// Blocks, classes, functions, and where defaults stand.
  void structure(const Token& token) {
    using namespace torch::jit;
    if (token.kind == TK_INDENT && ++blocks_ > kMaxBlocks)
      refuse("its program nests more than " + std::to_string(kMaxBlocks) + " blocks");
    if (token.kind == TK_DEDENT) --blocks_;
    if (token.kind == TK_ELIF && ++elifs_ > kMaxElif) refuse("its program has too many elif branches");
    if (token.kind == TK_IDENT && (previous_ == TK_CLASS_DEF || previous_ == TK_DEF)) define(token.text());
    // A signature ends at its colon outside brackets; a class's own lines are those one block deep.
    if (token.kind == TK_DEF) in_signature_ = true, has_result_ = false;
    if (token.kind == TK_ARROW) has_result_ = true;
    if (token.kind == ':' && runs_.size() == 1) {
      if (in_signature_ && !has_result_) refuse("its program does not declare what a function returns");
      in_signature_ = false;
    }
    const bool class_line = in_class_ && blocks_ == 1 && previous_ != TK_DEF && token.kind != TK_DEF;
    may_run_early_ = in_signature_ || class_line || blocks_ == 0;
  }

  /// What LibTorch would build while it compiles. A call's result is as large as its declaration says.
  void grow(const Token& token) {
    using namespace torch::jit;
    const bool named = token.kind == TK_IDENT || token.kind == TK_STRINGLITERAL;
    growth_.feed(token.kind, named ? token.text() : "");
    if (growth_.largest() > kMaxGrowth) refuse("its program builds a value of more than a million parts");
    if (growth_.lost()) refuse("its program holds a comprehension, which PyTorch does not write");
    if (token.kind == TK_NEWLINE || token.kind == TK_DEF) declaration_ = 0;
    if (may_run_early_ && ++declaration_ > kMaxDeclaration)
      refuse("its program holds a declaration of more than " + std::to_string(kMaxDeclaration) + " tokens");
  }

  void define(const std::string& name) {
    const bool is_class = previous_ == torch::jit::TK_CLASS_DEF;
    if (!is_class && contains(kDangerousMembers, name) && name.starts_with("__"))
      return refuse("its program defines " + name + ", which would run while it is loaded");
    if (is_class || blocks_ == 0) {
      in_class_ = is_class;
      definition_ = &definitions_[module_ + "." + name];
    }
    if (!is_class && definition_ != nullptr) ++definition_->functions;
  }

  torch::jit::Lexer lexer_;
  std::map<std::string, Definition>& definitions_;
  std::string module_;
  Definition* definition_ = nullptr;
  std::vector<std::string> chain_;  // the dotted name that is being read
  std::vector<std::int64_t> runs_{0};
  GrowthEstimate growth_;
  std::int64_t tokens_ = 0, elifs_ = 0, declaration_ = 0;
  std::size_t blocks_ = 0;
  int previous_ = 0;
  bool in_class_ = false, in_signature_ = false, has_result_ = false, may_run_early_ = true;
  std::optional<Refusal> refusal_;
};

}  // namespace

void throw_refused(const std::string& subject, const Refusal& refusal) {
  switch (refusal.kind) {
    case Refusal::Kind::kQuantised:
      throw Error({subject, refusal.found, "a network in floating point", "export the model before it is quantised"});
    case Refusal::Kind::kOptimised:
      throw Error({subject, refusal.found, "a scripted, traced or frozen network",
                   "save the module that optimize_for_inference was given"});
    case Refusal::Kind::kOperator:
      break;
  }
  throw Error({subject, refusal.found, "a network that only computes",
               "if you would run this file as a program of your own, --trust loads it without a scan"});
}

namespace {

std::optional<Refusal> scan_source(const std::string& record, const std::string& text,
                                   std::map<std::string, Definition>& definitions) {
  try {
    return SourceScan(record, text, definitions).run();
  } catch (const std::exception&) {  // LibTorch's lexer; its message is a page about the text
    return Refusal{Refusal::Kind::kOperator, "its program is damaged: '" + record + "' cannot be read"};
  }
}

}  // namespace

std::optional<Refusal> scan_sources(const Sources& sources) {
  std::map<std::string, Definition> definitions;
  std::optional<Refusal> worst;
  for (const auto& [record, text] : sources) {
    const auto found = scan_source(record, text, definitions);
    if (found && (!worst || found->kind < worst->kind)) worst = found;
  }
  if (worst) return worst;
  if (call_depth(definitions) > kMaxCallDepth)
    return Refusal{Refusal::Kind::kOperator, "its program nests more than " + std::to_string(kMaxCallDepth) + " calls"};
  return std::nullopt;
}

}  // namespace graft
