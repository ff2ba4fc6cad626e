#include <graft/graft.h>

#include <iostream>
#include <memory>

namespace {

/// Prints every epoch, and stops the run once it is good enough.
class UntilGood : public graft::Observer {
 public:
  explicit UntilGood(std::stop_source& stop) : stop_(stop) {}
  void on_epoch(const graft::EpochRecord& epoch) override {
    std::cout << epoch.phase_name << " " << epoch.epoch + 1 << ": " << epoch.validation.figure("accuracy") << "\n";
    if (epoch.validation.figure("accuracy") > 0.999) stop_.request_stop();
  }

 private:
  std::stop_source& stop_;
};

}  // namespace

// train_from_cpp BACKBONE DATA FOLDER SIZE
int main(int, char** argv) try {
  graft::Json json = graft::preset_recipe("probe");
  json["backbone"] = {{"file", argv[1]}};
  json["input"] = {{"size", std::stoi(argv[4])}};
  std::stop_source stop;
  graft::Trainer trainer({graft::read_recipe(json, ""), argv[2], argv[3]});
  trainer.add_observer(std::make_shared<UntilGood>(stop));
  const auto result = trainer.run(stop.get_token());
  std::cout << (result.finished ? result.metrics.dump() : "stopped; graft train --resume goes on") << "\n";
} catch (const graft::Error& error) {
  std::cerr << "error: " << error.what() << "\n";
  return 1;
}
