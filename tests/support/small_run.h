#pragma once
#include <filesystem>
#include <stop_token>
#include <string>

#include "graft/train/trainer.h"

namespace graft::test {

/// Small photos of two classes, glass and paper.
std::filesystem::path photos();

/// The recipe for a small network, on one thread of the CPU, in batches of eight.
Json on_small_network(Json recipe, const std::string& backbone = "tiny_cnn", int size = 32);
/// A preset's, so.
Json small_recipe(const std::string& preset = "probe", const std::string& backbone = "tiny_cnn", int size = 32);
/// Of augmented photos: the head for two epochs of three steps, then the last stage too.
Json two_phases();
RunSpec spec(const Json& recipe, const std::filesystem::path& folder);
RunResult train(const Json& recipe, const std::filesystem::path& folder);
/// Of the tensors of a run's model.
std::string digest(const std::filesystem::path& folder);

/// Asks for a stop at the given step of the run.
class StopAt : public Observer {
 public:
  StopAt(std::stop_source& stop, int step) : stop_(stop), left_(step) {}
  void on_step(std::int64_t, std::int64_t) override {
    if (--left_ == 0) stop_.request_stop();
  }

 private:
  std::stop_source& stop_;
  int left_;
};

}  // namespace graft::test
