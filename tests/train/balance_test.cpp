#include "graft/train/balance.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "graft/train/training_samples.h"
#include "support/parity.h"

namespace graft {
namespace {

using test::ParityFixture;
using test::relative_error;

BalanceSpec balance_of(const Json& value, std::vector<Problem>& problems) {
  return read_balance_spec(value, "balance", problems);
}

TEST(Balance, WeighsClassesAsScikitLearnAndThePaper) {
  const ParityFixture reference("train/balance.pt");
  const at::Tensor& counts = reference.at("counts");
  const auto* begin = counts.const_data_ptr<std::int64_t>();
  for (const auto& name : reference.cases("spec")) {
    std::vector<Problem> problems;
    const BalanceSpec spec = balance_of(reference.json(name + "/spec"), problems);
    const at::Tensor weights = class_weights(spec, {begin, begin + counts.numel()});
    EXPECT_LT(test::noted("balance", spec.name, relative_error(weights, reference.at(name + "/weights"))), 1e-12);
  }
  EXPECT_EQ(test::noted("balance", "none", class_weights({}, {3, 4}).defined() ? 1 : 0), 0);
}

TEST(Balance, AClassWithoutTrainingImagesDisturbsNone) {
  for (const auto& name : balance_names()) {
    if (name == "none") continue;
    const at::Tensor weights = class_weights({name}, {5, 0, 5});
    EXPECT_EQ(weights[0].item<double>(), 1) << name;
    EXPECT_EQ(weights[2].item<double>(), 1) << name;
    EXPECT_TRUE(weights.isfinite().all().item<bool>()) << name;
  }
}

TEST(Balance, AnEpochDrawsWhatItsClassesCount) {
  Dataset dataset{.name = "two", .classes = {"common", "rare"}, .samples = {}, .skipped = {}};
  for (int i = 0; i < 1000; ++i)
    dataset.samples.push_back({.path = std::to_string(i), .label = i < 900 ? 0 : 1, .split = Split::kTrain});
  const auto rare_part = [&](const char* balance, std::size_t* distinct) {
    const EpochBatches epochs({balance}, dataset.samples, dataset.class_counts(Split::kTrain), 32);
    EXPECT_EQ(epochs.steps(), 32);
    std::vector<std::int64_t> seen;
    for (const auto& batch : epochs(7)) seen.insert(seen.end(), batch.begin(), batch.end());
    EXPECT_EQ(seen.size(), 1000U);
    const auto rare = std::ranges::count_if(seen, [](std::int64_t row) { return row >= 900; });
    std::ranges::sort(seen);
    *distinct = static_cast<std::size_t>(std::unique(seen.begin(), seen.end()) - seen.begin());
    return static_cast<double>(rare) / 1000;
  };
  std::size_t distinct = 0;
  for (const char* each_once : {"none", "loss", "effective"}) {
    EXPECT_EQ(rare_part(each_once, &distinct), 0.1);
    EXPECT_EQ(distinct, 1000U);
  }
  EXPECT_NEAR(rare_part("sampler", &distinct), 0.5, 0.05);
  EXPECT_LT(distinct, 600U);
  EXPECT_NEAR(rare_part("sqrt_sampler", &distinct), 0.25, 0.05);
}

TEST(BalanceSpec, ReadsAndWritesNamesWithOptions) {
  std::vector<Problem> problems;
  for (const auto& name : balance_names()) {
    const Json written = to_json(balance_of(name, problems));
    EXPECT_EQ(to_json(balance_of(written, problems)), written);
  }
  EXPECT_EQ(to_json(balance_of("effective", problems)).dump(), R"({"effective":{"beta":0.999}})");
  EXPECT_TRUE(problems.empty());
  balance_of(Json::parse(R"({"effective": {"beta": 1}})"), problems);
  balance_of("samplr", problems);
  EXPECT_EQ(problems.size(), 2U);
}

}  // namespace
}  // namespace graft
