#include "support/small_run.h"

#include "graft/artifact/artifact.h"
#include "support/fixture_backbones.h"

namespace graft::test {

std::filesystem::path photos() { return std::filesystem::path(GRAFT_SOURCE_DIR) / "tests/data/photos"; }

Json on_small_network(Json json, const std::string& backbone, int size) {
  json["backbone"] = {{"file", FixtureBackbone{backbone, "scripted"}.file().string()}};
  json["input"] = {{"size", size}};
  json["threads"] = 1;
  json["device"] = "cpu";
  json["data"]["batch_size"] = 8;
  return json;
}

Json small_recipe(const std::string& preset, const std::string& backbone, int size) {
  return on_small_network(preset_recipe(preset), backbone, size);
}

Json two_phases() {
  Json json = small_recipe();
  json["data"]["augment"] = Json::parse(R"({"transforms": [{"random_resized_crop": {}}, {"horizontal_flip": {}}]})");
  json["phases"] = Json::parse(R"([
    {"name": "probe", "epochs": 2, "train": ["head"], "optimizer": {"adamw": {"lr": 0.01}}, "schedule": {"one_cycle": {}}},
    {"name": "fine-tune", "epochs": 2, "train": ["head", "last:1"], "optimizer": {"sgd": {"lr": 0.05, "momentum": 0.9}}, "layer_lr_decay": 0.5}])");
  return json;
}

RunSpec spec(const Json& recipe, const std::filesystem::path& folder) {
  return {read_recipe(recipe, ""), photos(), folder};
}

RunResult train(const Json& recipe, const std::filesystem::path& folder) { return Trainer(spec(recipe, folder)).run(); }

std::string digest(const std::filesystem::path& folder) {
  return load_artifact(folder / "model.pt").metadata.tensors_sha256;
}

}  // namespace graft::test
