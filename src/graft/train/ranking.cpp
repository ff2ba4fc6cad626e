#include "graft/train/ranking.h"

#include <ATen/ATen.h>

namespace graft {
namespace {

/// Hits and false alarms so far as the threshold falls to each distinct score.
struct Curve {
  at::Tensor hits, false_alarms;  // double [thresholds]
};

Curve curve_of(const at::Tensor& scores, const at::Tensor& hits) {
  const auto [values, order] = scores.sort(0, /*descending=*/true);
  const at::Tensor seen_hits = hits.index_select(0, order).cumsum(0);
  const at::Tensor last_of_ties = at::cat({values.slice(0, 1) != values.slice(0, 0, -1), at::ones({1}, at::kBool)});
  const at::Tensor at_threshold = last_of_ties.nonzero().squeeze(1);
  const at::Tensor found = seen_hits.index_select(0, at_threshold);
  return {found, at_threshold.to(at::kDouble) + 1 - found};
}

}  // namespace

double area_under_roc(const at::Tensor& scores, const at::Tensor& hits) {
  const Curve curve = curve_of(scores, hits);
  const at::Tensor start = at::zeros({1}, at::kDouble);
  const at::Tensor recall = at::cat({start, curve.hits / curve.hits[-1]});
  return at::trapezoid(recall, at::cat({start, curve.false_alarms / curve.false_alarms[-1]})).item<double>();
}

double area_under_precision_recall(const at::Tensor& scores, const at::Tensor& hits) {
  const Curve curve = curve_of(scores, hits);
  const at::Tensor gained = at::diff(at::cat({at::zeros({1}, at::kDouble), curve.hits / curve.hits[-1]}));
  return (gained * curve.hits / (curve.hits + curve.false_alarms)).sum().item<double>();
}

at::Tensor ranks_of(const at::Tensor& values) {
  const auto [distinct, place, counts] = at::_unique2(values, /*sorted=*/true, /*return_inverse=*/true, true);
  const at::Tensor last = counts.cumsum(0).to(at::kDouble);
  return (last - (counts - 1).to(at::kDouble) / 2).index_select(0, place);
}

}  // namespace graft
