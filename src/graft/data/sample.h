#pragma once
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "graft/core/hash.h"

namespace graft {

enum class Split : std::uint8_t { kTrain, kVal, kTest };
std::string to_string(Split split);
/// "train", "val" (also "valid", "validation") or "test"; nothing for other words.
std::optional<Split> parse_split(const std::string& word);

/// One labelled image. There may be millions: what it holds is small.
struct Sample {
  std::string path;
  /// Index into Dataset::classes; of several classes that of the rarest, -1 of none; of numbers 0. The split goes by
  /// it.
  std::int64_t label = 0;
  std::optional<Split> split;  ///< as the source says it; every sample has one once the data set is loaded
  /// Index into Dataset::groups: samples of one group never straddle the split.
  std::optional<std::int32_t> group{};
  double weight = 1;  ///< of its term in the training loss
  Digest hash{};      ///< of the file's bytes, once it was examined
  /// For each of Dataset::classes: whether the image is of it (1 or 0, multi_label), or the number (regression); else
  /// none.
  std::vector<double> values{};
};

/// Some samples in an order. Refers to them, as std::span does: they stay where they are as long as it is used.
class Samples {
 public:
  class Iterator {
   public:
    using difference_type = std::ptrdiff_t;
    using value_type = Sample;
    using iterator_category = std::forward_iterator_tag;
    using pointer = const Sample*;
    using reference = const Sample&;

    Iterator() = default;
    explicit Iterator(const Sample* const* at) : at_(at) {}
    reference operator*() const { return **at_; }
    pointer operator->() const { return *at_; }
    Iterator& operator++() { return ++at_, *this; }
    Iterator operator++(int) { return Iterator(at_++); }
    bool operator==(const Iterator&) const = default;

   private:
    const Sample* const* at_ = nullptr;
  };

  Samples() = default;
  /// All of them.
  Samples(const std::vector<Sample>& all);  // NOLINT(google-explicit-constructor): as std::span
  Samples(std::vector<Sample>&&) = delete;

  void add(const Sample& sample) { samples_.push_back(&sample); }
  void add(Sample&&) = delete;
  std::size_t size() const { return samples_.size(); }
  bool empty() const { return samples_.empty(); }
  const Sample& operator[](std::size_t i) const { return *samples_[i]; }
  const Sample& front() const { return *samples_.front(); }
  Iterator begin() const { return Iterator(samples_.data()); }
  Iterator end() const { return Iterator(samples_.data() + samples_.size()); }
  /// The first ones, `count` or as many as there are.
  Samples first(std::size_t count) const;

 private:
  std::vector<const Sample*> samples_;
};

/// As many as `count` of 0 … size - 1, from all over them, in order.
std::vector<std::int64_t> spread(std::size_t size, std::size_t count);
/// These of the samples: each class that stands together has its part.
Samples some_of(const Samples& samples, std::size_t count);

}  // namespace graft
