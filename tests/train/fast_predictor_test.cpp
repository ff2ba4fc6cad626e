#include "graft/train/fast_predictor.h"

#include <gmock/gmock.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "support/small_run.h"
#include "support/temporary_folder.h"

namespace graft {
namespace {

using Paths = std::vector<std::filesystem::path>;

class FastPredictor : public testing::Test {
 protected:
  FastPredictor() {
    Json recipe = test::small_recipe();
    recipe["phases"][0]["epochs"] = 1;
    test::train(recipe, folder_ / "run");
    Paths photos;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(test::photos()))
      if (entry.path().extension() == ".jpg") photos.push_back(entry.path());
    for (std::size_t i = 0; i < 120; ++i) many_.push_back(photos[i % photos.size()]);
  }

  Backbone backbone() const { return Backbone::load(model_, {.image_size = 32}); }
  static void no_message(const std::string& message) { ADD_FAILURE() << message; }

  static at::Tensor answers_of(const Predictor& predictor, const Paths& images) {
    std::vector<at::Tensor> pixels;
    for (const auto& image : images) pixels.push_back(predictor.fitted(image));
    return predictor.probabilities(at::stack(pixels));
  }

  test::TemporaryFolder folder_;
  std::filesystem::path model_ = folder_ / "run/model.pt";
  Paths many_;
};

TEST_F(FastPredictor, AnswersAsTheFileDoes) {
  const auto predictor = Predictor::load(model_);
  const auto fast = with_engine(predictor, backbone(), many_, no_message);
  ASSERT_TRUE(fast);
  const Paths images(many_.begin(), many_.begin() + 13);  // a batch and a part of one
  EXPECT_TRUE(answers_of(*fast, images).allclose(answers_of(predictor, images), 0, 1e-5));
  EXPECT_TRUE(
      answers_of(fast->averaging("hflip"), images).allclose(answers_of(predictor.averaging("hflip"), images), 0, 1e-5));
}

TEST_F(FastPredictor, GoesByThePhotosThatCanBeRead) {
  Paths images = many_;
  images.insert(images.begin(), folder_ / "absent.jpg");
  EXPECT_TRUE(with_engine(Predictor::load(model_), backbone(), images, no_message));
  EXPECT_FALSE(with_engine(Predictor::load(model_), backbone(), Paths(120, folder_ / "absent.jpg"), no_message));
}

TEST_F(FastPredictor, IsWorthItForAHundred) {
  const auto of_first = [&](std::size_t images) {
    return with_engine(Predictor::load(model_), backbone(),
                       Paths(many_.begin(), many_.begin() + static_cast<std::ptrdiff_t>(images)), no_message)
        .has_value();
  };
  EXPECT_FALSE(of_first(99));
  EXPECT_TRUE(of_first(100));
}

TEST_F(FastPredictor, IsRefusedWhereItAnswersOtherwise) {
  Backbone other = backbone();
  const torch::NoGradGuard no_grad;
  for (auto [name, parameter] : other.parameters()) parameter.mul_(1.5);
  std::string said;
  EXPECT_FALSE(with_engine(Predictor::load(model_), other, many_, [&](const std::string& text) { said = text; }));
  EXPECT_THAT(said, testing::HasSubstr("answers otherwise"));
}

TEST_F(FastPredictor, SaysWhenTheFileHoldsNoBackbone) {
  std::string said;
  const auto predictor = Predictor::load(model_);
  const auto same = fast_predictor(predictor, folder_ / "absent.pt", Trust::kScan, many_,
                                   [&](const std::string& text) { said = text; });
  EXPECT_THAT(said, testing::HasSubstr("absent.pt"));
  const Paths images(many_.begin(), many_.begin() + 2);
  EXPECT_TRUE(answers_of(same, images).equal(answers_of(predictor, images)));
}

TEST_F(FastPredictor, AnswersAlikeBeforeAndAfterTheProgramIsOptimised) {
  const Paths images(many_.begin(), many_.begin() + 5);
  const at::Tensor few = answers_of(Predictor::load(model_, "cpu", Trust::kScan, images.size()), images);
  EXPECT_TRUE(answers_of(Predictor::load(model_), images).allclose(few, 0, 1e-5));
}

}  // namespace
}  // namespace graft
