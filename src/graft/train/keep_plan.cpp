#include "graft/train/keep_plan.h"

#include <algorithm>

namespace graft {
namespace {

class Keeping {
 public:
  explicit Keeping(const KeepQuestion& question) : question_(question) {
    for (const auto& phase : question.phases) shared_ = std::min(shared_, phase.boundary);
  }

  KeepPlan plan() const {
    if (question_.keep == "off") return none();
    const KeepPlan best = at_its_boundary();
    return best.keeps() || question_.keep != "auto" ? best : below_its_boundary();
  }

 private:
  const RowUse& now() const { return question_.phases.front(); }
  bool must_be_in_memory() const { return question_.keep == "memory"; }
  bool fits_memory(std::size_t bytes) const { return question_.keep != "disk" && bytes <= question_.memory; }
  /// Images themselves are no work to make again: they are not worth a file.
  bool fits_disk(std::size_t boundary, std::size_t bytes) const {
    return boundary > 0 && !must_be_in_memory() && question_.disk > 0 && bytes <= question_.disk;
  }
  std::size_t views_in(const RowUse& phase) const {
    return std::min(question_.views, static_cast<std::size_t>(phase.epochs));
  }
  KeepPlan none() const { return {.boundary = now().boundary, .shared = now().boundary, .views = views_in(now())}; }

  bool reads(const RowUse& phase, std::size_t boundary) const {
    return boundary == shared_ || phase.boundary == boundary;
  }
  std::size_t bytes_at(std::size_t boundary) const {
    return question_.images * views_at(boundary) * question_.row_bytes(boundary);
  }
  /// Views that some phase reads.
  std::size_t views_at(std::size_t boundary) const {
    std::size_t views = views_in(now());
    for (const auto& phase : question_.phases)
      if (reads(phase, boundary)) views = std::max(views, views_in(phase));
    return views;
  }
  bool read_again(std::size_t boundary) const {
    std::size_t epochs = 0;
    bool again = false;
    for (const auto& phase : question_.phases) {
      if (!reads(phase, boundary)) continue;
      epochs += static_cast<std::size_t>(phase.epochs);
      again = again || phase.again;
    }
    return again || epochs > views_at(boundary);
  }

  KeepPlan at_its_boundary() const {
    KeepPlan plan = none();
    const std::size_t here = bytes_at(plan.boundary);
    std::size_t below = shared_ == plan.boundary ? 0 : bytes_at(shared_);
    if (must_be_in_memory() || fits_memory(here + below))
      plan.shared = shared_;
    else
      below = 0;
    const std::size_t files = here + (shared_ > 0 ? below : 0);
    plan.on_disk = fits_disk(plan.boundary, files);
    const bool worth_it = question_.keep != "auto" || plan.on_disk || read_again(plan.shared);
    plan.in_memory = worth_it && (must_be_in_memory() || fits_memory(here));
    plan.bytes = plan.keeps() ? here + below : 0;
    plan.disk_bytes = plan.on_disk ? files : 0;
    return plan;
  }

  /// What crosses an earlier boundary may be smaller.
  KeepPlan below_its_boundary() const {
    const std::size_t views = views_in(now());
    if (static_cast<std::size_t>(now().epochs) == views && !now().again) return none();
    for (std::size_t boundary = now().boundary; boundary-- > 0;) {
      const std::size_t bytes = question_.images * views * question_.row_bytes(boundary);
      KeepPlan plan{fits_memory(bytes), fits_disk(boundary, bytes), boundary, boundary, views, bytes};
      plan.disk_bytes = plan.on_disk ? bytes : 0;
      if (plan.keeps()) return plan;
    }
    return none();
  }

  const KeepQuestion& question_;
  std::size_t shared_ = question_.phases.front().boundary;
};

}  // namespace

Json to_json(const KeepPlan& plan) {
  return {{"in_memory", plan.in_memory},  {"on_disk", plan.on_disk}, {"boundary", plan.boundary},
          {"shared", plan.shared},        {"views", plan.views},     {"bytes", plan.bytes},
          {"disk_bytes", plan.disk_bytes}};
}

KeepPlan read_keep_plan(const Json& json) {
  return {json.at("in_memory"), json.at("on_disk"), json.at("boundary"),  json.at("shared"),
          json.at("views"),     json.at("bytes"),   json.at("disk_bytes")};
}

KeepPlan plan_keeping(const KeepQuestion& question) { return Keeping(question).plan(); }

}  // namespace graft
