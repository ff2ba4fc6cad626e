#include "graft/backbone/onednn_program.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <dnnl.hpp>
#include <functional>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <string_view>
#include <unordered_map>

#include "graft/backbone/value_places.h"

namespace graft {
namespace {

using dnnl::memory;
using Sizes = OneDnnProgram::Sizes;
using Kind = dnnl::algorithm;
using Description = dnnl::convolution_forward::primitive_desc;
using Arguments = std::unordered_map<int, memory>;

constexpr std::size_t kUsualCache = std::size_t{1} << 20;  // bytes, where the system does not tell

const dnnl::engine& cpu() {
  static const dnnl::engine kEngine(dnnl::engine::kind::cpu, 0);
  return kEngine;
}

/// Bytes of the cache that a core has for itself.
std::size_t cache_size() {
  const long found = sysconf(_SC_LEVEL2_CACHE_SIZE);
  return found > 0 ? static_cast<std::size_t>(found) : kUsualCache;
}

void append(dnnl::post_ops& operations, Kind kind, double alpha = 0, double beta = 0) {
#if DNNL_VERSION_MAJOR >= 3
  operations.append_eltwise(kind, static_cast<float>(alpha), static_cast<float>(beta));
#else
  operations.append_eltwise(1.F, kind, static_cast<float>(alpha), static_cast<float>(beta));
#endif
}

struct PointwiseRow {
  std::string_view name;
  void (*append_to)(dnnl::post_ops& operations, const Pointwise& pointwise);
};

constexpr std::array kPointwise{
    PointwiseRow{"none", [](dnnl::post_ops&, const Pointwise&) {}},
    PointwiseRow{"relu", [](dnnl::post_ops& to, const Pointwise&) { append(to, Kind::eltwise_relu); }},
    PointwiseRow{"leaky_relu",
                 [](dnnl::post_ops& to, const Pointwise& p) { append(to, Kind::eltwise_relu, p.scalars.at(0)); }},
    PointwiseRow{"hardtanh",
                 [](dnnl::post_ops& to, const Pointwise& p) {
                   append(to, Kind::eltwise_clip, p.scalars.at(0), p.scalars.at(1));
                 }},
    PointwiseRow{"swish", [](dnnl::post_ops& to, const Pointwise&) { append(to, Kind::eltwise_swish, 1); }},
    PointwiseRow{"sigmoid", [](dnnl::post_ops& to, const Pointwise&) { append(to, Kind::eltwise_logistic); }},
    PointwiseRow{"tanh", [](dnnl::post_ops& to, const Pointwise&) { append(to, Kind::eltwise_tanh); }},
    PointwiseRow{"hardswish",
                 [](dnnl::post_ops& to, const Pointwise&) { append(to, Kind::eltwise_hardswish, 1. / 6, 0.5); }},
    PointwiseRow{"hardsigmoid",
                 [](dnnl::post_ops& to, const Pointwise&) {
                   append(to, Kind::eltwise_linear, 1. / 6, 0.5);
                   append(to, Kind::eltwise_clip, 0, 1);
                 }},
    PointwiseRow{"gelu",
                 [](dnnl::post_ops& to, const Pointwise& p) {
                   append(to, p.algorithm == "tanh" ? Kind::eltwise_gelu_tanh : Kind::eltwise_gelu_erf);
                 }},
};

void append(dnnl::post_ops& operations, const Pointwise& pointwise) {
  const auto row = std::ranges::find(kPointwise, pointwise.name, &PointwiseRow::name);
  if (row == kPointwise.end()) throw std::invalid_argument("no step of oneDNN's ends in " + pointwise.name);
  row->append_to(operations, pointwise);
}

memory::data_type type_of(OneDnnType type) {
  return type == OneDnnType::kBfloat16 ? memory::data_type::bf16 : memory::data_type::f32;
}

/// Maps in channels_last.
memory::desc maps(Sizes sizes, std::int64_t rows, OneDnnType type) {
  sizes[0] = rows;
  return {sizes, type_of(type), memory::format_tag::nhwc};
}

Sizes result_sizes(const OneDnnStep& step, const Sizes& input) {
  Sizes sizes{input[0], step.weight_sizes[0]};
  for (std::size_t i = 0; i < 2; ++i) {
    const std::int64_t reach = step.dilation[i] * (step.weight_sizes[i + 2] - 1) + 1;
    sizes.push_back((input[i + 2] + 2 * step.padding[i] - reach) / step.stride[i] + 1);
  }
  return sizes;
}

/// [groups, outputs / groups, inputs / groups, height, width] where there are groups.
Sizes grouped_sizes(const OneDnnStep& step) {
  Sizes sizes = step.weight_sizes;
  if (step.groups > 1) {
    sizes[0] /= step.groups;
    sizes.insert(sizes.begin(), step.groups);
  }
  return sizes;
}

Description describe(const OneDnnStep& step, const memory::desc& input, const memory::desc& result, OneDnnType type) {
  dnnl::post_ops after;
  if (step.added) after.append_sum();
  append(after, step.pointwise);
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(after);
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const memory::desc weight(grouped_sizes(step), type_of(type), memory::format_tag::any);
  const memory::desc bias =
      step.bias ? memory::desc({step.weight_sizes[0]}, memory::data_type::f32, memory::format_tag::x) : memory::desc();
  const Sizes gaps{step.dilation[0] - 1, step.dilation[1] - 1};
  constexpr auto kMode = dnnl::prop_kind::forward_inference;
  constexpr auto kMethod = Kind::convolution_direct;
#if DNNL_VERSION_MAJOR >= 3
  return {cpu(),  kMode,       kMethod, input,        weight,       bias,
          result, step.stride, gaps,    step.padding, step.padding, attributes};
#else
  return {
      {kMode, kMethod, input, weight, bias, result, step.stride, gaps, step.padding, step.padding}, attributes, cpu()};
#endif
}

/// Weights in the layout that oneDNN asks for.
memory packed(const OneDnnStep& step, const memory::desc& wanted, OneDnnType type) {
  const auto tag = step.groups > 1 ? memory::format_tag::goihw : memory::format_tag::oihw;
  memory from({grouped_sizes(step), type_of(type), tag}, cpu(), const_cast<void*>(step.weight));
  memory to(wanted, cpu());
  dnnl::stream stream(cpu());
  dnnl::reorder(from, to).execute(stream, from, to);
  stream.wait();
  return to;
}

memory bytes_of_memory(std::size_t count) {
  return {{{static_cast<memory::dim>(count)}, memory::data_type::u8, memory::format_tag::x}, cpu()};
}

/// A convolution, compiled.
struct Step {
  dnnl::primitive primitive;
  Arguments constants{};  ///< weights and bias
  std::size_t scratch;    ///< bytes

  Step(const OneDnnStep& step, const Description& description, OneDnnType type)
      : primitive(dnnl::convolution_forward(description)), scratch(description.scratchpad_desc().get_size()) {
    constants.emplace(DNNL_ARG_WEIGHTS, packed(step, description.weights_desc(), type));
    if (!step.bias) return;
    memory bias(description.bias_desc(), cpu());
    std::memcpy(bias.get_data_handle(), step.bias, bias.get_desc().get_size());
    constants.emplace(DNNL_ARG_BIAS, bias);
  }
};

}  // namespace

class OneDnnProgram::Compiled {
 public:
  Compiled(const std::vector<OneDnnStep>& steps, const std::vector<Sizes>& inputs,
           const std::vector<std::size_t>& outputs, OneDnnType type)
      : type_(type), inputs_(inputs.size()), sizes_(inputs) {
    std::vector<StepReads> reads;
    for (const auto& step : steps) {
      reads.push_back({step.input, step.added});
      sizes_.push_back(result_sizes(step, sizes_.at(step.input)));
    }
    rows_ = rows_at_once(reads);
    std::vector<std::size_t> bytes;
    for (std::size_t value = 0; value < sizes_.size(); ++value) bytes.push_back(bytes_of(value, rows_));
    places_ = place_values(reads, bytes, outputs);
    for (std::size_t i = 0; i < steps.size(); ++i)
      steps_.emplace_back(
          steps[i],
          describe(steps[i], maps(sizes_[steps[i].input], rows_, type), maps(sizes_[inputs_ + i], rows_, type), type),
          type);
    reads_ = std::move(reads);
    for (const std::size_t output : outputs) output_sizes_.push_back(sizes_[output]);
  }

  const std::vector<Sizes>& output_sizes() const { return output_sizes_; }

  void run(const std::vector<const void*>& inputs, const std::vector<void*>& outputs) const {
    std::unique_ptr<Workspace> workspace = take_workspace();
    for (std::int64_t begin = 0; begin < sizes_[0][0]; begin += rows_) {
      point_at(*workspace, inputs, outputs, begin);
      run_steps(*workspace);
    }
    const std::lock_guard guard(one_);
    free_workspaces_.push_back(std::move(workspace));
  }

 private:
  /// What one thread computes in.
  struct Workspace {
    std::vector<memory> buffers{};
    std::vector<memory> values{};
    std::vector<Arguments> arguments{};
    dnnl::stream stream{cpu()};
  };

  std::size_t bytes_of(std::size_t value, std::int64_t rows) const {
    const Sizes& sizes = sizes_[value];
    const auto numbers = std::accumulate(sizes.begin() + 1, sizes.end(), rows, std::multiplies<>());
    return static_cast<std::size_t>(numbers) * (type_ == OneDnnType::kBfloat16 ? 2 : 4);
  }

  /// So many that what the largest step reads and writes fits the cache.
  std::int64_t rows_at_once(const std::vector<StepReads>& reads) const {
    std::size_t largest = 0;
    for (std::size_t i = 0; i < reads.size(); ++i)
      largest = std::max(largest, bytes_of(reads[i].input, 1) + bytes_of(inputs_ + i, 1));
    std::int64_t rows = std::clamp<std::int64_t>(static_cast<std::int64_t>(cache_size() / largest), 1, sizes_[0][0]);
    while (sizes_[0][0] % rows != 0) --rows;
    return rows;
  }

  std::unique_ptr<Workspace> take_workspace() const {
    {
      const std::lock_guard guard(one_);
      if (!free_workspaces_.empty()) {
        auto workspace = std::move(free_workspaces_.back());
        free_workspaces_.pop_back();
        return workspace;
      }
    }
    return make_workspace();
  }

  std::unique_ptr<Workspace> make_workspace() const {
    auto workspace = std::make_unique<Workspace>();
    for (const std::size_t size : places_.buffers) workspace->buffers.push_back(bytes_of_memory(size));
    for (std::size_t value = 0; value < sizes_.size(); ++value) {
      const auto& [kind, index] = places_.places[value];
      void* data = kind == Place::Kind::kBuffer ? workspace->buffers[index].get_data_handle() : nullptr;
      workspace->values.emplace_back(maps(sizes_[value], rows_, type_), cpu(), data);
    }
    const memory scratch = bytes_of_memory(std::ranges::max(steps_, {}, &Step::scratch).scratch);
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      Arguments arguments = steps_[i].constants;
      arguments.emplace(DNNL_ARG_SRC, workspace->values[reads_[i].input]);
      arguments.emplace(DNNL_ARG_DST, workspace->values[inputs_ + i]);
      arguments.emplace(DNNL_ARG_SCRATCHPAD, scratch);
      workspace->arguments.push_back(std::move(arguments));
    }
    return workspace;
  }

  /// Inputs and outputs lie with the caller, from row `begin`.
  void point_at(Workspace& workspace, const std::vector<const void*>& inputs, const std::vector<void*>& outputs,
                std::int64_t begin) const {
    for (std::size_t value = 0; value < sizes_.size(); ++value) {
      const auto& [kind, index] = places_.places[value];
      if (kind == Place::Kind::kBuffer) continue;
      void* rows = kind == Place::Kind::kInput ? const_cast<void*>(inputs.at(index)) : outputs.at(index);
      workspace.values[value].set_data_handle(static_cast<char*>(rows) + bytes_of(value, begin));
    }
  }

  void run_steps(Workspace& workspace) const {
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      if (const auto& copied = places_.copied[i])
        std::memcpy(workspace.values[inputs_ + i].get_data_handle(), workspace.values[*copied].get_data_handle(),
                    bytes_of(*copied, rows_));
      steps_[i].primitive.execute(workspace.stream, workspace.arguments[i]);
    }
    workspace.stream.wait();
  }

  OneDnnType type_;
  std::size_t inputs_;        ///< how many
  std::vector<Sizes> sizes_;  ///< of the values, all rows
  std::vector<Sizes> output_sizes_{};
  std::vector<StepReads> reads_{};
  ValuePlaces places_{};
  std::vector<Step> steps_{};
  std::int64_t rows_ = 1;  ///< computed at once
  mutable std::mutex one_{};
  mutable std::vector<std::unique_ptr<Workspace>> free_workspaces_{};
};

OneDnnProgram::OneDnnProgram(const std::vector<OneDnnStep>& steps, const std::vector<Sizes>& inputs,
                             const std::vector<std::size_t>& outputs, OneDnnType type)
    : compiled_(std::make_shared<const Compiled>(steps, inputs, outputs, type)) {}

const std::vector<OneDnnProgram::Sizes>& OneDnnProgram::output_sizes() const { return compiled_->output_sizes(); }

void OneDnnProgram::run(const std::vector<const void*>& inputs, const std::vector<void*>& outputs) const {
  compiled_->run(inputs, outputs);
}

}  // namespace graft
