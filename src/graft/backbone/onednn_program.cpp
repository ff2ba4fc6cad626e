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
using Sizes = OneDnnStep::Sizes;
using Kind = dnnl::algorithm;
using Tag = memory::format_tag;
using Arguments = std::unordered_map<int, memory>;

constexpr std::size_t kUsualCache = std::size_t{1} << 20;  // bytes, where the system does not tell

const dnnl::engine& cpu() {
  static const dnnl::engine kEngine(dnnl::engine::kind::cpu, 0);
  return kEngine;
}

/// Bytes of the cache that a core has for itself which a step's maps may take: the rest is for its weights.
std::size_t room_in_cache() {
  const long cache = sysconf(_SC_LEVEL2_CACHE_SIZE);
  return (cache > 0 ? static_cast<std::size_t>(cache) : kUsualCache) / 2;
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

memory::desc channels_last(const OneDnnMaps& maps, std::int64_t rows) {
  Sizes sizes = maps.sizes;
  sizes[0] = rows;
  return {sizes, type_of(maps.type), Tag::nhwc};
}

std::int64_t numbers_of(const OneDnnMaps& maps, std::int64_t rows) {
  return std::accumulate(maps.sizes.begin() + 1, maps.sizes.end(), rows, std::multiplies<>());
}

std::size_t bytes_of(const OneDnnMaps& maps, std::int64_t rows) {
  return static_cast<std::size_t>(numbers_of(maps, rows)) * (maps.type == OneDnnType::kBfloat16 ? 2 : 4);
}

/// The same numbers in one line: three channels at a time convert slowly.
memory::desc flat(const OneDnnMaps& maps, std::int64_t rows) {
  return {{numbers_of(maps, rows)}, type_of(maps.type), Tag::a};
}

/// Maps that flow in and out, and how many rows of them at once.
struct Ends {
  OneDnnMaps in, out;
  std::int64_t rows;

  memory::desc input() const { return channels_last(in, rows); }
  memory::desc result() const { return channels_last(out, rows); }
};

dnnl::primitive_attr attributes_of(const OneDnnStep& step) {
  dnnl::post_ops after;
  if (step.added) after.append_sum();
  append(after, step.pointwise);
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(after);
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

constexpr auto kMode = dnnl::prop_kind::forward_inference;

/// [groups, outputs / groups, inputs / groups, height, width] where there are groups.
memory::desc weights_of(const OneDnnStep& step, const OneDnnMaps& input, std::optional<Tag> layout) {
  Sizes sizes{step.outputs / step.groups, input.sizes[1] / step.groups, step.kernel[0], step.kernel[1]};
  if (step.groups > 1) sizes.insert(sizes.begin(), step.groups);
  return {sizes, type_of(input.type), layout.value_or(step.groups > 1 ? Tag::goihw : Tag::oihw)};
}

memory::desc bias_of(const OneDnnStep& step) {
  return step.bias ? memory::desc({step.outputs}, memory::data_type::f32, Tag::x) : memory::desc();
}

dnnl::convolution_forward::primitive_desc describe_convolution(const OneDnnStep& step, const Ends& ends) {
  const memory::desc weight = weights_of(step, ends.in, Tag::any), bias = bias_of(step);
  const Sizes gaps{step.dilation[0] - 1, step.dilation[1] - 1};
  constexpr auto kMethod = Kind::convolution_direct;
#if DNNL_VERSION_MAJOR >= 3
  return {cpu(),
          kMode,
          kMethod,
          ends.input(),
          weight,
          bias,
          ends.result(),
          step.stride,
          gaps,
          step.padding,
          step.padding_behind,
          attributes_of(step)};
#else
  return {
      {kMode, kMethod, ends.input(), weight, bias, ends.result(), step.stride, gaps, step.padding, step.padding_behind},
      attributes_of(step),
      cpu()};
#endif
}

dnnl::pooling_forward::primitive_desc describe_pool(Kind method, const OneDnnStep& step, const Ends& ends) {
#if DNNL_VERSION_MAJOR >= 3
  return {cpu(),       kMode,  method,       ends.input(),        ends.result(),      step.stride,
          step.kernel, {0, 0}, step.padding, step.padding_behind, attributes_of(step)};
#else
  return {{kMode, method, ends.input(), ends.result(), step.stride, step.kernel, step.padding, step.padding_behind},
          attributes_of(step),
          cpu()};
#endif
}

dnnl::reorder::primitive_desc describe_conversion(const OneDnnStep& step, const Ends& ends) {
  return {cpu(), flat(ends.in, ends.rows), cpu(), flat(ends.out, ends.rows), attributes_of(step)};
}

/// What `use` makes of oneDNN's description of a step.
template <typename Use>
auto with_description(const OneDnnStep& step, const Ends& ends, const Use& use) {
  switch (step.kind) {
    case OneDnnStep::Kind::kConversion:
      return use(describe_conversion(step, ends));
    case OneDnnStep::Kind::kConvolution:
      return use(describe_convolution(step, ends));
    case OneDnnStep::Kind::kMaxPool:
      return use(describe_pool(Kind::pooling_max, step, ends));
    case OneDnnStep::Kind::kAveragePool:
      return use(describe_pool(Kind::pooling_avg_exclude_padding, step, ends));
    case OneDnnStep::Kind::kPaddedAveragePool:
      return use(describe_pool(Kind::pooling_avg_include_padding, step, ends));
  }
  throw std::invalid_argument("a step of no kind");
}

/// By oneDNN's own word for how it computes: some ways are plain loops, and products of unfolded maps fail where the
/// sides of the padding differ (2.6 on AVX2).
template <typename Description>
bool is_sound(const Description& description, const OneDnnStep& step) {
  const std::string_view way = description.impl_info_str();
  const auto names = [&](std::string_view word) { return way.find(word) != std::string_view::npos; };
  return !names("ref") && (!names("gemm") || step.padding == step.padding_behind);
}

/// Weights in the layout that oneDNN asks for.
memory packed(const void* weight, const memory::desc& plain, const memory::desc& wanted) {
  memory from(plain, cpu(), const_cast<void*>(weight)), to(wanted, cpu());
  dnnl::stream stream(cpu());
  dnnl::reorder(from, to).execute(stream, from, to);
  stream.wait();
  return to;
}

memory copied(const void* numbers, const memory::desc& description) {
  memory copy(description, cpu());
  std::memcpy(copy.get_data_handle(), numbers, description.get_size());
  return copy;
}

/// Compiled for what it reads and gives.
struct Step {
  dnnl::primitive primitive{};
  Arguments constants{};    ///< weights and bias
  std::size_t scratch = 0;  ///< bytes
};

Step compile(const OneDnnStep& step, const Ends& ends) {
  return with_description(step, ends, [&](const auto& description) {
    if (!is_sound(description, step))
      throw std::runtime_error(std::string("oneDNN has no fast ") + description.impl_info_str());
    Step found{dnnl::primitive(description.get()), {}, description.scratchpad_desc().get_size()};
    if (step.weight)
      found.constants.emplace(DNNL_ARG_WEIGHTS, packed(step.weight, weights_of(step, ends.in, std::nullopt),
                                                       description.query_md(dnnl::query::weights_md)));
    if (step.bias) found.constants.emplace(DNNL_ARG_BIAS, copied(step.bias, bias_of(step)));
    return found;
  });
}

memory bytes_of_memory(std::size_t count) {
  return {{{static_cast<memory::dim>(count)}, memory::data_type::u8, Tag::x}, cpu()};
}

}  // namespace

OneDnnMaps result_of(const OneDnnStep& step, const OneDnnMaps& input) {
  if (step.kind == OneDnnStep::Kind::kConversion)
    return {input.sizes, input.type == OneDnnType::kFloat ? OneDnnType::kBfloat16 : OneDnnType::kFloat};
  Sizes sizes{input.sizes[0], step.outputs};
  for (std::size_t i = 0; i < 2; ++i) {
    const std::int64_t reach = step.dilation[i] * (step.kernel[i] - 1) + 1;
    sizes.push_back((input.sizes[i + 2] + step.padding[i] + step.padding_behind[i] - reach) / step.stride[i] + 1);
  }
  return {sizes, input.type};
}

bool is_fast(const OneDnnStep& step, const OneDnnMaps& input) {
  try {
    return with_description(step, {input, result_of(step, input), input.sizes[0]},
                            [&](const auto& description) { return is_sound(description, step); });
  } catch (const dnnl::error&) {
    return false;
  }
}

std::int64_t OneDnnProgram::rows_at_once(const OneDnnMaps& input, const OneDnnMaps& result) {
  const std::int64_t rows = input.sizes[0];
  const auto fitting = static_cast<std::int64_t>(room_in_cache() / (bytes_of(input, 1) + bytes_of(result, 1)));
  std::int64_t found = std::clamp<std::int64_t>(fitting, 1, rows);
  while (rows % found != 0) --found;
  return found;
}

class OneDnnProgram::Compiled {
 public:
  Compiled(const std::vector<OneDnnStep>& steps, const std::vector<OneDnnMaps>& inputs,
           const std::vector<std::size_t>& outputs)
      : inputs_(inputs.size()), values_(inputs) {
    rows_ = inputs.at(0).sizes[0];
    for (const auto& step : steps) {
      reads_.push_back({step.input, step.added});
      const OneDnnMaps input = values_.at(step.input);
      values_.push_back(result_of(step, input));
      rows_ = std::min(rows_, rows_at_once(input, values_.back()));
    }
    std::vector<std::size_t> bytes;
    for (const auto& value : values_) bytes.push_back(bytes_of(value, rows_));
    places_ = place_values(reads_, bytes, outputs);
    for (std::size_t i = 0; i < steps.size(); ++i)
      steps_.push_back(compile(steps[i], {values_[steps[i].input], values_[inputs_ + i], rows_}));
    for (const std::size_t output : outputs) outputs_.push_back(values_[output]);
  }

  const std::vector<OneDnnMaps>& outputs() const { return outputs_; }

  void run(const std::vector<const void*>& inputs, const std::vector<void*>& outputs) const {
    std::unique_ptr<Workspace> workspace = take_workspace();
    for (std::int64_t begin = 0; begin < values_[0].sizes[0]; begin += rows_) {
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
    std::vector<memory> values{}, flat_values{};  ///< the same as maps and as lines
    std::vector<Arguments> arguments{};
    dnnl::stream stream{cpu()};
  };

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
    for (std::size_t value = 0; value < values_.size(); ++value) {
      const auto& [kind, index] = places_.places[value];
      void* data = kind == Place::Kind::kBuffer ? workspace->buffers[index].get_data_handle() : nullptr;
      workspace->values.emplace_back(channels_last(values_[value], rows_), cpu(), data);
      workspace->flat_values.emplace_back(flat(values_[value], rows_), cpu(), data);
    }
    const memory scratch = bytes_of_memory(std::ranges::max(steps_, {}, &Step::scratch).scratch);
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      Arguments arguments = steps_[i].constants;
      const auto& values =
          steps_[i].primitive.get_kind() == dnnl::primitive::kind::reorder ? workspace->flat_values : workspace->values;
      arguments.emplace(DNNL_ARG_SRC, values[reads_[i].input]);
      arguments.emplace(DNNL_ARG_DST, values[inputs_ + i]);
      arguments.emplace(DNNL_ARG_SCRATCHPAD, scratch);
      workspace->arguments.push_back(std::move(arguments));
    }
    return workspace;
  }

  /// Inputs and outputs lie with the caller, from row `begin`.
  void point_at(Workspace& workspace, const std::vector<const void*>& inputs, const std::vector<void*>& outputs,
                std::int64_t begin) const {
    for (std::size_t value = 0; value < values_.size(); ++value) {
      const auto& [kind, index] = places_.places[value];
      if (kind == Place::Kind::kBuffer) continue;
      void* rows = kind == Place::Kind::kInput ? const_cast<void*>(inputs.at(index)) : outputs.at(index);
      for (auto* views : {&workspace.values, &workspace.flat_values})
        (*views)[value].set_data_handle(static_cast<char*>(rows) + bytes_of(values_[value], begin));
    }
  }

  void run_steps(Workspace& workspace) const {
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      if (const auto& copied = places_.copied[i])
        std::memcpy(workspace.values[inputs_ + i].get_data_handle(), workspace.values[*copied].get_data_handle(),
                    bytes_of(values_[*copied], rows_));
      steps_[i].primitive.execute(workspace.stream, workspace.arguments[i]);
    }
    workspace.stream.wait();
  }

  std::size_t inputs_;              ///< how many
  std::vector<OneDnnMaps> values_;  ///< all rows
  std::vector<OneDnnMaps> outputs_{};
  std::vector<StepReads> reads_{};
  ValuePlaces places_{};
  std::vector<Step> steps_{};
  std::int64_t rows_ = 1;  ///< computed at once
  mutable std::mutex one_{};
  mutable std::vector<std::unique_ptr<Workspace>> free_workspaces_{};
};

OneDnnProgram::OneDnnProgram(const std::vector<OneDnnStep>& steps, const std::vector<OneDnnMaps>& inputs,
                             const std::vector<std::size_t>& outputs)
    : compiled_(std::make_shared<const Compiled>(steps, inputs, outputs)) {}

const std::vector<OneDnnMaps>& OneDnnProgram::outputs() const { return compiled_->outputs(); }

void OneDnnProgram::run(const std::vector<const void*>& inputs, const std::vector<void*>& outputs) const {
  compiled_->run(inputs, outputs);
}

}  // namespace graft
