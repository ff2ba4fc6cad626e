#include <ATen/ATen.h>

#include "graft/optim/optimizer_rules.h"

namespace graft {
namespace {

/// Every k steps of another rule the slow weights go part of the way to where it went, and it starts from there.
class Lookahead final : public UpdateRule {
 public:
  explicit Lookahead(const Json& options)
      : k_(options.at("k").get<std::int64_t>()),
        alpha_(options.at("alpha").get<double>()),
        inner_(make_inner_rule(options)) {}

  static Json read_options(JsonReader& reader) {
    Json options;
    options["k"] = reader.integer("k", 6, Range::between(1, 100000));
    options["alpha"] = reader.number("alpha", 0.5, {.low = 0, .high = 1, .low_open = true});
    read_inner_rule(reader, options, {"lookahead", "sam"});
    return options;
  }

  std::vector<Slot> slots() const override {
    std::vector<Slot> slots = inner_->slots();
    slots.push_back({"lookahead_step", Slot::Shape::kHostScalar});
    slots.push_back({"lookahead_slow"});
    return slots;
  }
  void update(Batch& batch) const override {
    const std::size_t own = batch.slots.size() - 2;
    Batch inner = batch;
    inner.slots.resize(inner_->keeps_state({batch.lr, batch.momentum}) ? own : 0);
    inner_->update(inner);
    const auto counts = batch.count_step(own);
    for (std::size_t i = 0; i < counts.size(); ++i)
      if (const auto count = static_cast<std::int64_t>(counts[i]); count % k_ == 0)
        synchronise(batch.parameters[i], batch.slots[own + 1][i], count / k_);
  }

 private:
  /// As timm has it, the slow weights begin where the first k steps ended; in the paper, where those began.
  void synchronise(at::Tensor& fast, at::Tensor& slow, std::int64_t round) const {
    if (round == 1) {
      slow.copy_(fast);
      return;
    }
    slow.add_(fast - slow, alpha_);
    fast.copy_(slow);
  }

  std::int64_t k_;
  double alpha_;
  std::unique_ptr<UpdateRule> inner_;
};

}  // namespace

OptimizerRow lookahead_row() { return optimizer_row<Lookahead>("lookahead"); }

}  // namespace graft
