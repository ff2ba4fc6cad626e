#include "graft/backbone/batch_norm_kernels.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

// Loops are compiled for three generations of processors, of which the program takes the one that it runs on.
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
#define GRAFT_EACH_PROCESSOR [[gnu::target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")]]
#else
#define GRAFT_EACH_PROCESSOR
#endif

namespace graft::kernels {
namespace {

constexpr std::int64_t kRowsAtOnce = 4;          // what there is of a channel is read once for them
constexpr std::int64_t kRowsASum = 64;           // are added in float32 before they go into a sum in float64
constexpr std::int64_t kNumbersATask = 1 << 14;  // below which a thread is not worth waking

using Bfloat16Bits = std::uint16_t;

[[gnu::always_inline]] inline float number(float stored) { return stored; }
[[gnu::always_inline]] inline float number(Bfloat16Bits stored) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(stored) << 16);
}

[[gnu::always_inline]] inline void store(float value, float& to) { to = value; }
/// Rounds to nearest, ties to even, as LibTorch does.
[[gnu::always_inline]] inline void store(float value, Bfloat16Bits& to) {
  constexpr std::uint32_t kNan = 0x7fc0;
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
  to = static_cast<Bfloat16Bits>(value == value ? rounded : kNan);
}

/// The gradient where the value is between the limits, else 0; by bits, for a branch would keep loops from being
/// vectorised.
[[gnu::always_inline]] inline float passed_on(float gradient, float value, float low, float high) {
  const std::uint32_t inside = static_cast<std::uint32_t>(value > low) & static_cast<std::uint32_t>(value < high);
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(gradient) & (0U - inside));
}

/// A row holds all channels of one place.
struct Rows {
  std::int64_t count, channels;
};

Rows rows_of(const at::Tensor& maps) { return {maps.numel() / maps.size(1), maps.size(1)}; }

/// Calls `body.template operator()<n>(row)` for all rows, n of them at once.
template <typename Body>
[[gnu::always_inline]] inline void for_rows(std::int64_t count, const Body& body) {
  std::int64_t row = 0;
  for (; row + kRowsAtOnce <= count; row += kRowsAtOnce) body.template operator()<kRowsAtOnce>(row);
  for (; row < count; ++row) body.template operator()<1>(row);
}

/// Calls `body(i, c)` for every number, the i-th of all, of channel c.
template <typename Body>
[[gnu::always_inline]] inline void for_numbers(Rows rows, const Body& body) {
  for_rows(
      rows.count, [&]<std::int64_t kCount>(std::int64_t row) __attribute__((always_inline)) {
        for (std::int64_t c = 0; c < rows.channels; ++c)
          for (std::int64_t k = 0; k < kCount; ++k) body((row + k) * rows.channels + c, c);
      });
}

/// Adds x - shift and its square.
template <typename T>
GRAFT_EACH_PROCESSOR void add_moments(const T* __restrict__ x, Rows rows, const float* __restrict__ shift,
                                      float* __restrict__ sum, float* __restrict__ square) {
  const std::int64_t channels = rows.channels;
  for_rows(
      rows.count, [&]<std::int64_t kCount>(std::int64_t row) __attribute__((always_inline)) {
        const T* from = x + row * channels;
        for (std::int64_t c = 0; c < channels; ++c) {
          float added = 0, squared = 0;
          for (std::int64_t k = 0; k < kCount; ++k) {
            const float distance = number(from[k * channels + c]) - shift[c];
            added += distance;
            squared += distance * distance;
          }
          sum[c] += added;
          square[c] += squared;
        }
      });
}

[[gnu::always_inline]] inline float limited(float value, float low, float high) {
  return value < low ? low : value > high ? high : value;
}

template <typename T>
GRAFT_EACH_PROCESSOR void apply_line(const T* __restrict__ x, Rows rows, const float* __restrict__ scale,
                                     const float* __restrict__ shift, float low, float high, T* __restrict__ y) {
  for_numbers(
      rows, [&](std::int64_t i, std::int64_t c) __attribute__((always_inline)) {
        store(limited(number(x[i]) * scale[c] + shift[c], low, high), y[i]);
      });
}

template <typename T>
GRAFT_EACH_PROCESSOR void apply_line_and_add(const T* __restrict__ x, const T* __restrict__ added, Rows rows,
                                             const float* __restrict__ scale, const float* __restrict__ shift,
                                             float low, float high, T* __restrict__ y) {
  for_numbers(
      rows, [&](std::int64_t i, std::int64_t c) __attribute__((always_inline)) {
        store(limited(number(x[i]) * scale[c] + shift[c] + number(added[i]), low, high), y[i]);
      });
}

/// Adds the gradient that `passed(i, c)` says passes the limits, and its product with x - mean.
template <typename T, typename Passed>
[[gnu::always_inline]] inline void add_passed(const T* __restrict__ x, Rows rows, const float* __restrict__ mean,
                                              float* __restrict__ sum, float* __restrict__ product,
                                              const Passed& passed) {
  const std::int64_t channels = rows.channels;
  for_rows(
      rows.count, [&]<std::int64_t kCount>(std::int64_t row) __attribute__((always_inline)) {
        for (std::int64_t c = 0; c < channels; ++c) {
          float added = 0, multiplied = 0;
          for (std::int64_t k = 0; k < kCount; ++k) {
            const std::int64_t i = (row + k) * channels + c;
            const float passes = passed(i, c);
            added += passes;
            multiplied += passes * (number(x[i]) - mean[c]);
          }
          sum[c] += added;
          product[c] += multiplied;
        }
      });
}

template <typename T>
GRAFT_EACH_PROCESSOR void add_gradients(const T* __restrict__ x, const T* __restrict__ gradient, Rows rows,
                                        const float* __restrict__ scale, const float* __restrict__ shift, float low,
                                        float high, const float* __restrict__ mean, float* __restrict__ sum,
                                        float* __restrict__ product) {
  add_passed(
      x, rows, mean, sum, product, [&](std::int64_t i, std::int64_t c) __attribute__((always_inline)) {
        return passed_on(number(gradient[i]), number(x[i]) * scale[c] + shift[c], low, high);
      });
}

/// Where something was added, the result tells what passes; it is written down too.
template <typename T>
GRAFT_EACH_PROCESSOR void add_gradients_of_sum(const T* __restrict__ x, const T* __restrict__ result,
                                               const T* __restrict__ gradient, Rows rows, float low, float high,
                                               const float* __restrict__ mean, T* __restrict__ to,
                                               float* __restrict__ sum, float* __restrict__ product) {
  add_passed(
      x, rows, mean, sum, product, [&](std::int64_t i, std::int64_t) __attribute__((always_inline)) {
        const float passes = passed_on(number(gradient[i]), number(result[i]), low, high);
        store(passes, to[i]);
        return passes;
      });
}

template <typename T>
GRAFT_EACH_PROCESSOR void pass_back(const T* __restrict__ x, const T* __restrict__ gradient, Rows rows,
                                    const float* __restrict__ scale, const float* __restrict__ shift, float low,
                                    float high, const float* __restrict__ slope, const float* __restrict__ offset,
                                    T* __restrict__ to) {
  for_numbers(
      rows, [&](std::int64_t i, std::int64_t c) __attribute__((always_inline)) {
        const float from = number(x[i]), value = from * scale[c] + shift[c];
        const float passed = passed_on(number(gradient[i]), value, low, high);
        store(passed * scale[c] + from * slope[c] + offset[c], to[i]);
      });
}

/// Calls `body(pointer)` with a null pointer of the type that the maps' numbers are stored as.
template <typename Body>
void with_type(const at::Tensor& maps, const Body& body) {
  if (maps.scalar_type() == at::kFloat)
    body(static_cast<const float*>(nullptr));
  else
    body(static_cast<const Bfloat16Bits*>(nullptr));
}

template <typename T>
const T* numbers(const at::Tensor& maps) {
  return static_cast<const T*>(maps.const_data_ptr());
}

template <typename T>
T* written(const at::Tensor& maps) {
  return static_cast<T*>(maps.mutable_data_ptr());
}

const float* floats(const at::Tensor& channels) { return channels.const_data_ptr<float>(); }

/// Calls `body(begin, count)` for shares of the rows, on all threads.
template <typename Body>
void for_shares(Rows rows, const Body& body) {
  at::parallel_for(0, rows.count, std::max<std::int64_t>(1, kNumbersATask / rows.channels),
                   [&](std::int64_t begin, std::int64_t end) { body(begin, end - begin); });
}

/// Two sums a channel over all rows. `add(begin, count, sums)` adds those of a few rows to float32 [2 C].
template <typename Add>
std::vector<double> two_sums(Rows rows, const Add& add) {
  const std::int64_t tasks =
      std::clamp<std::int64_t>(rows.count * rows.channels / kNumbersATask, 1, at::get_num_threads());
  const auto numbers = static_cast<std::size_t>(2 * rows.channels);
  std::vector<std::vector<double>> sums(static_cast<std::size_t>(tasks), std::vector<double>(numbers));
  at::parallel_for(0, tasks, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t task = first; task < last; ++task) {
      auto& sum = sums[static_cast<std::size_t>(task)];
      std::vector<float> few(numbers);
      const std::int64_t end = rows.count * (task + 1) / tasks;
      for (std::int64_t begin = rows.count * task / tasks; begin < end; begin += kRowsASum) {
        std::ranges::fill(few, 0.0F);
        add(begin, std::min(kRowsASum, end - begin), few.data());
        for (std::size_t i = 0; i < numbers; ++i) sum[i] += few[i];
      }
    }
  });
  for (std::size_t task = 1; task < sums.size(); ++task)
    for (std::size_t i = 0; i < numbers; ++i) sums[0][i] += sums[task][i];
  return std::move(sums[0]);
}

at::Tensor float_channels(std::int64_t channels) { return at::empty({channels}, at::kFloat); }

GradientSums as_tensors(const std::vector<double>& sums) {
  const auto channels = static_cast<std::int64_t>(sums.size() / 2);
  GradientSums found{float_channels(channels), float_channels(channels)};
  std::copy_n(sums.begin(), channels, found.gradient.mutable_data_ptr<float>());
  std::copy_n(sums.begin() + channels, channels, found.product.mutable_data_ptr<float>());
  return found;
}

}  // namespace

bool suit(const at::Tensor& maps) {
  return maps.is_cpu() && maps.dim() == 4 && maps.numel() > 0 &&
         (maps.scalar_type() == at::kFloat || maps.scalar_type() == at::kBFloat16) &&
         maps.is_contiguous(at::MemoryFormat::ChannelsLast) && !maps.is_contiguous();
}

Moments moments(const at::Tensor& maps) {
  const Rows rows = rows_of(maps);
  const auto channels = static_cast<std::size_t>(rows.channels);
  Moments found{float_channels(rows.channels), float_channels(rows.channels)};
  with_type(maps, [&]<typename T>(const T*) {
    const T* x = numbers<T>(maps);
    // Squares are taken of distances to the mean of a few rows: of the numbers themselves they would cancel each other.
    const std::int64_t few = std::min(rows.count, kRowsASum);
    std::vector<float> shift(channels), sum(channels), square(channels);
    add_moments(x, {few, rows.channels}, shift.data(), sum.data(), square.data());
    for (std::size_t c = 0; c < channels; ++c) shift[c] = sum[c] / static_cast<float>(few);
    const auto sums = two_sums(rows, [&](std::int64_t begin, std::int64_t count, float* to) {
      add_moments(x + begin * rows.channels, {count, rows.channels}, shift.data(), to, to + channels);
    });
    const auto count = static_cast<double>(rows.count);
    for (std::size_t c = 0; c < channels; ++c) {
      const double distance = sums[c] / count;
      found.mean.mutable_data_ptr<float>()[c] = static_cast<float>(shift[c] + distance);
      found.variance.mutable_data_ptr<float>()[c] =
          static_cast<float>(std::max(0.0, sums[channels + c] / count - distance * distance));
    }
  });
  return found;
}

at::Tensor apply(const LimitedLine& line, const at::Tensor& maps, const std::optional<at::Tensor>& added) {
  const Rows rows = rows_of(maps);
  at::Tensor result = at::empty_like(maps);
  with_type(maps, [&]<typename T>(const T*) {
    for_shares(rows, [&](std::int64_t begin, std::int64_t count) {
      const std::int64_t at = begin * rows.channels;
      const T* x = numbers<T>(maps) + at;
      T* y = written<T>(result) + at;
      const Rows share{count, rows.channels};
      const float *scale = floats(line.scale), *shift = floats(line.shift);
      if (added)
        apply_line_and_add(x, numbers<T>(*added) + at, share, scale, shift, line.low, line.high, y);
      else
        apply_line(x, share, scale, shift, line.low, line.high, y);
    });
  });
  return result;
}

GradientSums gradient_sums(const LimitedLine& line, const at::Tensor& maps, const at::Tensor& gradient,
                           const at::Tensor& mean) {
  const Rows rows = rows_of(maps);
  std::vector<double> sums;
  with_type(maps, [&]<typename T>(const T*) {
    sums = two_sums(rows, [&](std::int64_t begin, std::int64_t count, float* to) {
      const std::int64_t at = begin * rows.channels;
      add_gradients(numbers<T>(maps) + at, numbers<T>(gradient) + at, {count, rows.channels}, floats(line.scale),
                    floats(line.shift), line.low, line.high, floats(mean), to, to + rows.channels);
    });
  });
  return as_tensors(sums);
}

GradientSums gradient_sums_of_sum(const LimitedLine& line, const at::Tensor& maps, const at::Tensor& result,
                                  const at::Tensor& gradient, const at::Tensor& mean, const at::Tensor& passed) {
  const Rows rows = rows_of(maps);
  std::vector<double> sums;
  with_type(maps, [&]<typename T>(const T*) {
    sums = two_sums(rows, [&](std::int64_t begin, std::int64_t count, float* to) {
      const std::int64_t at = begin * rows.channels;
      add_gradients_of_sum(numbers<T>(maps) + at, numbers<T>(result) + at, numbers<T>(gradient) + at,
                           {count, rows.channels}, line.low, line.high, floats(mean), written<T>(passed) + at, to,
                           to + rows.channels);
    });
  });
  return as_tensors(sums);
}

at::Tensor input_gradient(const LimitedLine& line, const at::Tensor& maps, const at::Tensor& gradient,
                          const at::Tensor& slope, const at::Tensor& offset) {
  const Rows rows = rows_of(maps);
  at::Tensor result = at::empty_like(maps);
  with_type(maps, [&]<typename T>(const T*) {
    T* to = written<T>(result);
    for_shares(rows, [&](std::int64_t begin, std::int64_t count) {
      const std::int64_t at = begin * rows.channels;
      pass_back(numbers<T>(maps) + at, numbers<T>(gradient) + at, {count, rows.channels}, floats(line.scale),
                floats(line.shift), line.low, line.high, floats(slope), floats(offset), to + at);
    });
  });
  return result;
}

}  // namespace graft::kernels
