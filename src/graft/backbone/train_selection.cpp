#include "graft/backbone/train_selection.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

#include "graft/core/error.h"
#include "graft/core/names.h"

namespace graft {
namespace {

using torch::jit::Module;

/// The name a user sees of a backbone's parameter: its own, but "backbone.head.…" where that would be taken for Graft's
/// head.
std::string shown_name(const std::string& parameter) {
  return parameter.starts_with("head.") ? "backbone." + parameter : parameter;
}

bool matches(const std::string& glob, const std::string& name) {
  return glob_match(glob, name) || glob_match(glob + ".*", name);
}

std::vector<std::string> backbone_stages(const Backbone& backbone) {
  std::vector<std::string> names;
  for (const auto& stage : backbone.stages()) names.push_back(stage.name);
  return names;
}

/// N of "last:N" or "first:N".
std::optional<std::size_t> stage_count(const std::string& glob, std::string_view prefix) {
  if (!glob.starts_with(prefix)) return std::nullopt;
  std::size_t count = 0;
  const char* end = glob.data() + glob.size();
  const auto [parsed, failure] = std::from_chars(glob.data() + prefix.size(), end, count);
  return failure == std::errc() && parsed == end ? std::optional(count) : std::nullopt;
}

std::vector<std::string> stage_parameters(const std::vector<Stage>& stages, std::size_t begin, std::size_t end) {
  std::vector<std::string> names;
  for (std::size_t i = begin; i < end; ++i)
    for (const auto& parameter : stages[i].parameters) names.push_back(shown_name(parameter));
  return names;
}

class Selector {
 public:
  enum class Part { kBackbone, kHead };
  struct Parameter {
    Part part;
    std::string name;  ///< within its part
  };

  Selector(const Backbone& backbone, const std::vector<std::string>& head_parameters) : stages_(backbone.stages()) {
    for (const auto& parameter : backbone.parameters())
      add(shown_name(parameter.first), {Part::kBackbone, parameter.first});
    for (const auto& parameter : head_parameters) add("head." + parameter, {Part::kHead, parameter});
  }

  std::vector<std::string> matching(const std::string& glob) const {
    const std::size_t all = stages_.size();
    if (const auto last = stage_count(glob, "last:")) return stage_parameters(stages_, all - std::min(*last, all), all);
    if (const auto first = stage_count(glob, "first:")) return stage_parameters(stages_, 0, std::min(*first, all));
    std::vector<std::string> found;
    for (const auto& name : names_)
      if (matches(glob, name)) found.push_back(name);
    return found;
  }

  const Parameter& parameter(const std::string& shown) const { return parameters_.at(shown); }

  /// What a glob could have meant: modules, stages and parameters.
  std::vector<std::string> candidates() const {
    std::set<std::string> names{"head", "last:1", "first:1"};
    for (const auto& name : names_)
      for (std::size_t dot = 0; dot != std::string::npos; dot = name.find('.', dot + 1))
        if (dot > 0) names.insert(name.substr(0, dot));
    names.insert(names_.begin(), names_.end());
    return {names.begin(), names.end()};
  }

 private:
  void add(const std::string& shown, Parameter parameter) {
    names_.push_back(shown);
    parameters_.emplace(shown, std::move(parameter));
  }

  const std::vector<Stage>& stages_;
  std::vector<std::string> names_;
  std::map<std::string, Parameter> parameters_;
};

bool is_batch_norm(const Module& module) { return module.hasattr("running_mean"); }

void set_mode(Module module, bool training) {
  if (module.hasattr("training")) module.setattr("training", training);
}

bool any_below(const std::string& path, const std::set<std::string>& trained) {
  if (path.empty()) return !trained.empty();
  const auto next = trained.lower_bound(path + ".");
  return next != trained.end() && next->starts_with(path + ".");
}

void apply_modes(const Module& module, const std::string& path, bool parent_trains,
                 const std::set<std::string>& trained, BatchNormStatistics statistics) {
  const bool trains = module.parameters(true).size() == 0 ? parent_trains : any_below(path, trained);
  set_mode(module, trains && (statistics == BatchNormStatistics::kUpdate || !is_batch_norm(module)));
  for (const auto& child : module.named_children())
    apply_modes(child.value, path.empty() ? child.name : path + "." + child.name, trains, trained, statistics);
}

}  // namespace

TrainSelection select_trained(const std::vector<std::string>& globs, const Backbone& backbone,
                              const std::vector<std::string>& head_parameters, const std::string& subject) {
  const Selector selector(backbone, head_parameters);
  std::set<std::string> selected;
  std::vector<Problem> problems;
  for (const auto& glob : globs) {
    const bool excludes = glob.starts_with('!');
    const auto found = selector.matching(excludes ? glob.substr(1) : glob);
    if (found.empty()) {
      const std::string bare = glob.substr(excludes ? 1 : 0, glob.find(".*") - (excludes ? 1 : 0));
      problems.push_back({subject, "'" + glob + "' matches no parameter",
                          "head, last:N, first:N or a glob over paths such as " + join(backbone_stages(backbone)),
                          did_you_mean(bare, selector.candidates(), 3)});
    }
    for (const auto& name : found) {
      if (excludes)
        selected.erase(name);
      else
        selected.insert(name);
    }
  }
  if (!problems.empty()) throw Error(problems);
  TrainSelection selection;
  for (const auto& shown : selected) {
    const auto& parameter = selector.parameter(shown);
    (parameter.part == Selector::Part::kHead ? selection.head : selection.backbone).insert(parameter.name);
  }
  return selection;
}

void apply_selection(Module& module, const std::set<std::string>& trained, BatchNormStatistics statistics) {
  for (const auto& parameter : module.named_parameters())
    parameter.value.set_requires_grad(trained.contains(parameter.name));
  // A parameter known by several names trains under any of them.
  for (const auto& parameter : module.named_parameters())
    if (trained.contains(parameter.name)) parameter.value.set_requires_grad(true);
  apply_modes(module, "", !trained.empty(), trained, statistics);
}

}  // namespace graft
