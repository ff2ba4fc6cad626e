#include "graft/backbone/pooling.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/types.h>

#include "graft/core/option_table.h"

namespace graft {
namespace {

using graph::Graph;
using graph::Value;

/// What a pooling is written into.
struct PoolingPlace {
  Graph& graph;
  torch::jit::Module& self;
  std::vector<std::int64_t> over;
};

Value* average(const PoolingPlace& place, Value* features) {
  return place.graph.insert(c10::aten::mean, {features, place.over, false});
}

Value* largest(const PoolingPlace& place, Value* features) {
  return place.graph.insert(c10::aten::amax, {features, place.over, false});
}

Value* avg(const PoolingPlace& place, Value* features, const Json&) { return average(place, features); }
Value* max(const PoolingPlace& place, Value* features, const Json&) { return largest(place, features); }

Value* avgmax(const PoolingPlace& place, Value* features, const Json&) {
  Value* sum = place.graph.insert(c10::aten::add, {average(place, features), largest(place, features)});
  return place.graph.insert(c10::aten::mul, {sum, 0.5});
}

Value* catavgmax(const PoolingPlace& place, Value* features, const Json&) {
  const std::vector<Value*> both{average(place, features), largest(place, features)};
  Value* list = place.graph.insertNode(place.graph.createList(c10::TensorType::get(), both))->output();
  return place.graph.insert(c10::aten::cat, {list, 1});
}

Json gem_options(JsonReader& reader) {
  const double p = reader.number("p", 3, Range::above(0));
  return {{"p", p}, {"eps", reader.number("eps", 1e-6, Range::above(0))}};
}

/// (mean of x^p)^(1/p), x at least eps (Radenovic et al. 2019).
Value* gem(const PoolingPlace& place, Value* features, const Json& options) {
  std::string name = "gem_p";
  while (place.self.hasattr(name)) name += "_";
  place.self.register_parameter(name, torch::full({1}, options.at("p").get<double>()), /*is_buffer=*/false);
  Value* power = place.graph.insertGetAttr(place.graph.inputs()[0], name);
  Value* floored = place.graph.insert(c10::aten::clamp_min, {features, options.at("eps").get<double>()});
  Value* mean = average(place, place.graph.insert(c10::aten::pow, {floored, power}));
  return place.graph.insert(c10::aten::pow, {mean, place.graph.insert(c10::aten::reciprocal, {power})});
}

struct Row {
  std::string name;
  Value* (*pool)(const PoolingPlace& place, Value* features, const Json& options);
  Json (*read_options)(JsonReader& reader) = no_options;
  std::int64_t vectors = 1;
};

const OptionTable<Row>& table() {
  static const OptionTable<Row> kTable({{"avg", avg},
                                        {"max", max},
                                        {"avgmax", avgmax},
                                        {.name = "catavgmax", .pool = catavgmax, .vectors = 2},
                                        {"gem", gem, gem_options}});
  return kTable;
}

}  // namespace

const std::vector<std::string>& pool_names() { return table().names(); }

PoolSpec read_pool_spec(const Json& value, const std::string& path, std::vector<Problem>& problems) {
  return table().read<PoolSpec>(value, path, problems);
}

Json to_json(const PoolSpec& spec) { return Json{{spec.name, table().complete(spec)}}; }

namespace graph {

std::int64_t append_pooling(Graph& graph, torch::jit::Module& self, const PoolSpec& spec,
                            const std::vector<std::int64_t>& over) {
  const Row& row = table().at(spec.name);
  const torch::jit::WithInsertPoint at_end(graph.block()->return_node());
  Value* pooled = row.pool({graph, self, over}, graph.outputs()[0], table().complete(spec));
  graph.eraseOutput(0);
  graph.registerOutput(pooled);
  return row.vectors;
}

}  // namespace graph
}  // namespace graft
