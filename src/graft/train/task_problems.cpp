#include "graft/train/task_problems.h"

#include "graft/core/names.h"
#include "graft/train/task.h"

namespace graft {
namespace {

/// Collects what stands beside a task and does not go with it.
class Misfits {
 public:
  explicit Misfits(Task task) : beside_(" beside task " + to_string(task)) {}
  void add(const std::string& key, const std::string& found, const std::string& expected) {
    problems.push_back({key, "is " + found + beside_, expected, ""});
  }
  std::vector<Problem> problems;

 private:
  std::string beside_;
};

void check_head(const Recipe& recipe, Misfits& misfits) {
  if (recipe.head.layers.empty()) return;
  const auto& [kind, last] = recipe.head.layers.back();
  const std::string place = "head[" + std::to_string(recipe.head.layers.size() - 1) + "]";
  const bool ordinal = recipe.task == Task::kOrdinal;
  if (ordinal && kind != "linear")
    return misfits.add(place, last.dump(),
                       "{\"linear\": \"classes\"}: a score with a threshold for each class but one");
  const Json bias = last.value("bias", Json(true));
  if (ordinal && bias == false) misfits.add(place + ".bias", "false", "true, \"prior\" or a number: the thresholds");
  if (bias == "prior" && !one_class_each(recipe.task))
    misfits.add(place + ".bias", "\"prior\"", "true, false or a number");
}

}  // namespace

std::vector<Problem> task_problems(const Recipe& recipe) {
  Misfits misfits(recipe.task);
  const auto losses = loss_names(recipe.task);
  if (!contains(losses, recipe.loss.name)) misfits.add("loss", recipe.loss.name, join(losses));
  const auto& metrics = task_row(recipe.task).metrics;
  if (!contains(metrics, recipe.stop.metric)) misfits.add("stop.metric", recipe.stop.metric, join(metrics));
  if (recipe.diagnosis.overfit_batch && recipe.task != Task::kSingleLabel)
    misfits.add("diagnosis.overfit_batch", "true", "false: it is for classes, one each");
  check_head(recipe, misfits);
  if (recipe.balance.name != "none" && !one_class_each(recipe.task))
    misfits.add("data.balance", recipe.balance.name, "none: photos are not of one class each");
  if (recipe.distill.distills() && recipe.task != Task::kSingleLabel)
    misfits.add("distill", "given", "none: a teacher tells classes apart, one each");
  if (!recipe.classes.empty() && recipe.task != Task::kOrdinal)
    misfits.add("data.classes", "given", "none: classes are in order of name");
  for (std::size_t i = 0; i < recipe.phases.size(); ++i)
    if (recipe.phases[i].optimizer.full_batch() && recipe.task != Task::kSingleLabel)
      misfits.add("phases[" + std::to_string(i) + "].optimizer", recipe.phases[i].optimizer.name,
                  "an optimizer of single steps");
  return misfits.problems;
}

}  // namespace graft
