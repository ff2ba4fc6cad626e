#include "graft/train/weight_average.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "support/parity.h"

namespace graft {
namespace {

using test::ParityFixture;
using test::relative_error;

TEST(WeightAverage, IsTimmsAndTorchs) {
  const ParityFixture reference("train/average.pt");
  const auto cases = reference.cases("spec");
  EXPECT_EQ(cases.size(), 5U);
  for (const auto& name : cases) {
    std::vector<Problem> problems;
    const AverageSpec spec = read_average_spec(reference.json(name + "/spec"), "average", problems);
    std::map<std::string, at::Tensor> tensors;
    for (const char* key : {"weight", "running_var", "num_batches_tracked"})
      tensors[key] = reference.at(std::string("start/") + key).clone();
    WeightAverage average(spec, tensors, 4);
    for (std::int64_t step = 0; step < 20; ++step) {
      for (auto& [key, tensor] : tensors) tensor.copy_(reference.at("steps/" + key)[step]);
      average.update(step + 1);
      for (const auto& [key, mean] : average.tensors()) {
        if (!reference.has(name + "/" + key)) continue;
        const double apart = relative_error(mean, reference.at(name + "/" + key)[step]);
        EXPECT_LT(test::noted("average", spec.name, apart), 1e-6) << name << ", " << key << ", step " << step;
      }
    }
  }
}

TEST(WeightAverage, IsExchangedAndPutBack) {
  const std::map<std::string, at::Tensor> tensors{{"weight", at::zeros({3})}};
  WeightAverage average({"ema", {{"decay", 0.5}}}, tensors, 1);
  average.update(1);
  tensors.at("weight").fill_(1);
  average.update(2);
  average.exchange();
  EXPECT_TRUE(tensors.at("weight").equal(at::full({3}, 0.5)));
  average.exchange();
  EXPECT_TRUE(tensors.at("weight").equal(at::ones({3})));
  EXPECT_TRUE(average.tensors().at("weight").equal(at::full({3}, 0.5)));
}

TEST(AverageSpec, ReadsAndWritesNamesWithOptions) {
  std::vector<Problem> problems;
  EXPECT_EQ(to_json(read_average_spec("none", "average", problems)).dump(), R"({"none":{}})");
  EXPECT_EQ(to_json(read_average_spec("ema", "average", problems)).dump(),
            R"({"ema":{"decay":0.9999,"warmup":false}})");
  EXPECT_TRUE(problems.empty());
  read_average_spec(Json::parse(R"({"ema": {"decay": 1}})"), "average", problems);
  read_average_spec("swa", "average", problems);
  read_average_spec(Json::parse(R"({"swa": {"start": 0}})"), "average", problems);
  read_average_spec("sma", "average", problems);
  EXPECT_EQ(problems.size(), 4U);
  const AverageSpec swa{"swa", {{"start", 3}}};
  EXPECT_FALSE(swa.lacks_statistics(3));  // a single epoch's weights have their own
  EXPECT_TRUE(swa.lacks_statistics(4));
  EXPECT_FALSE((AverageSpec{"ema"}.lacks_statistics(4)));
}

}  // namespace
}  // namespace graft
