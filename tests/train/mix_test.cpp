#include "graft/train/mix.h"

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <set>

#include "graft/train/loss.h"
#include "support/parity.h"

namespace graft {
namespace {

using test::ParityFixture;
using test::relative_error;

MixSpec mix_of(const Json& value, std::vector<Problem>& problems) { return read_mix_spec(value, "data.mix", problems); }

TEST(Mix, ImagesAndLossAreTorchvisionsDrawByDraw) {
  const ParityFixture reference("train/mix.pt");
  const at::Tensor targets = reference.at("targets");
  const at::Tensor logits = reference.at("logits");
  const LossWeights weights{reference.at("classes"), reference.at("samples")};
  const Loss smooth = make_loss({.options = {{"label_smoothing", 0.1}}});
  const Loss plain = make_loss({});
  std::set<std::string> seen;
  for (const auto& name : reference.cases("spec")) {
    std::vector<Problem> problems;
    const MixSpec spec = mix_of(reference.json(name + "/spec"), problems);
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
      const std::string place = name + "/" + std::to_string(seed);
      const BatchMix mix = draw_mix(spec, seed, 12);
      const MixedRows rows = mix.rows(at::arange(5));
      const at::Tensor loss =
          rows.loss([&](const at::Tensor& of) { return smooth(logits, targets.index_select(0, of), {}); });
      const at::Tensor weighted =
          rows.loss([&](const at::Tensor& of) { return plain(logits, targets.index_select(0, of), weights.of(of)); });
      const double of_images = relative_error(mix.mixed(reference.at("images")), reference.at(place + "/images"));
      const double of_loss = std::max(relative_error(loss, reference.at(place + "/loss")),
                                      relative_error(weighted, reference.at(place + "/weighted")));
      EXPECT_EQ(of_images, 0) << place;
      EXPECT_LT(test::noted("mix", spec.name, std::max(of_images, of_loss)), 1e-6) << place;
    }
    seen.insert(spec.name);
  }
  EXPECT_EQ(test::noted("mix", "none", draw_mix({}, 7, 12).mixes() ? 1 : 0), 0);
  EXPECT_EQ(seen.size() + 1, mix_names().size());
}

TEST(Mix, HappensAsOftenAsItsProbabilitySays) {
  for (const double prob : {0.0, 0.25, 1.0}) {
    int mixed = 0;
    for (std::uint64_t seed = 0; seed < 2000; ++seed)
      mixed += draw_mix({"mixup", {{"prob", prob}}}, seed, 12).mixes() ? 1 : 0;
    EXPECT_NEAR(mixed / 2000.0, prob, 0.04);
  }
}

TEST(Mix, EveryStepDrawsItsOwn) {
  const Mixing mixing{{"mixup"}, 3, 1, 12};
  std::set<double> drawn;
  for (std::int64_t step = 0; step < 50; ++step) drawn.insert(mixing.at(step).lam);
  EXPECT_EQ(drawn.size(), 50U);
  const at::Tensor images = at::rand({4, 3, 12, 12});
  EXPECT_TRUE(mixing.of_images(20)(3, images).equal(mixing.at(23).mixed(images)));
  EXPECT_TRUE(mixing.of_activations(23, images).equal(images));
  const Mixing inside{{"mixup", {{"on", "activations"}}}, 3, 1, 12};
  EXPECT_FALSE(inside.of_images(20));
  EXPECT_TRUE(inside.of_activations(23, images).equal(mixing.at(23).mixed(images)));
  EXPECT_THROW(mixing.at(0).mixed(images.narrow(0, 0, 1)), c10::Error);
}

TEST(MixSpec, WhatIsWrittenReadsBackTheSameAndMistakesAreNamed) {
  std::vector<Problem> problems;
  for (const auto& name : mix_names()) {
    const Json written = to_json(mix_of(name, problems));
    EXPECT_EQ(to_json(mix_of(written, problems)), written);
  }
  EXPECT_EQ(to_json(mix_of("mixup", problems)).dump(), R"({"mixup":{"alpha":1.0,"prob":1.0,"on":"images"}})");
  EXPECT_TRUE(problems.empty());
  for (const char* bad : {R"({"mixup": {"alpha": 0}})", R"({"mixup": {"prob": 1.1}})", R"({"mixup": {"on": "logits"}})",
                          R"({"cutmix": {"on": "activations"}})", R"({"mixup_cutmix": {"alpha": 1}})",
                          R"({"mixup_cutmix": {"switch_prob": -0.1}})", R"("mixupp")"}) {
    problems.clear();
    mix_of(Json::parse(bad), problems);
    EXPECT_EQ(problems.size(), 1U) << bad;
  }
}

}  // namespace
}  // namespace graft
