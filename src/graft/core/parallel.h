#pragma once
#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include "graft/core/runtime.h"

namespace graft {

/// `things` cut into shares of one size, the last of what is left: one a worker, or more where that would be too large.
class Shares {
 public:
  Shares(std::size_t things, int workers, std::size_t largest)
      : things_(things), size_(std::clamp<std::size_t>(parts(things, static_cast<std::size_t>(workers)), 1, largest)) {}

  std::size_t count() const { return parts(things_, size_); }
  std::size_t begin(std::size_t share) const { return share * size_; }
  std::size_t end(std::size_t share) const { return std::min(things_, begin(share + 1)); }

 private:
  static std::size_t parts(std::size_t whole, std::size_t size) { return (whole + size - 1) / size; }

  std::size_t things_;
  std::size_t size_;
};

/// Calls `produce(i)` for i = 0 … count - 1 on `workers` threads, each of which computes with one LibTorch thread, and
/// `consume(i, result)` in order on the calling thread. At most 2 * workers results are under way or waiting, however
/// large `count` is. The first exception of either ends the work and is rethrown; a stop requested through `stop` ends
/// it after the results consumed so far.
/// @return how many results were consumed
template <typename Result>
class OrderedParallel {
 public:
  template <typename Produce, typename Consume>
  static std::size_t run(std::size_t count, int workers, const Produce& produce, const Consume& consume,
                         const std::stop_token& stop = {}) {
    OrderedParallel work(count, 2 * static_cast<std::size_t>(workers));
    std::vector<std::jthread> threads;
    for (int i = 0; i < workers; ++i) threads.emplace_back([&] { work.work(produce); });
    const Closing close(work);
    std::size_t done = 0;
    for (; done < count && !stop.stop_requested(); ++done) consume(done, work.take(done));
    return done;
  }

 private:
  OrderedParallel(std::size_t count, std::size_t window) : count_(count), window_(window) {}

  /// Wakes and ends the workers whichever way the caller leaves; they are joined after it.
  class Closing {
   public:
    explicit Closing(OrderedParallel& work) : work_(work) {}
    Closing(const Closing&) = delete;
    Closing& operator=(const Closing&) = delete;
    ~Closing() {
      const std::lock_guard lock(work_.mutex_);
      work_.closed_ = true;
      work_.changed_.notify_all();
    }

   private:
    OrderedParallel& work_;
  };

  std::optional<std::size_t> next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return closed_ || next_ >= count_ || next_ < taken_ + window_; });
    return closed_ || next_ >= count_ ? std::nullopt : std::optional(next_++);
  }

  template <typename Produce>
  void work(const Produce& produce) {
    const OneThreadScope one_thread;
    while (const auto index = next()) {
      std::optional<Result> result;
      std::exception_ptr failure;
      try {
        result = produce(*index);
      } catch (...) {
        failure = std::current_exception();
      }
      const std::lock_guard lock(mutex_);
      if (failure)
        failures_.emplace(*index, failure);
      else
        results_.emplace(*index, std::move(*result));
      changed_.notify_all();
    }
  }

  Result take(std::size_t index) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return results_.contains(index) || failures_.contains(index); });
    if (const auto failure = failures_.find(index); failure != failures_.end()) std::rethrow_exception(failure->second);
    auto node = results_.extract(index);
    taken_ = index + 1;
    changed_.notify_all();
    return std::move(node.mapped());
  }

  const std::size_t count_;
  const std::size_t window_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t next_ = 0;
  std::size_t taken_ = 0;
  bool closed_ = false;
  std::map<std::size_t, Result> results_;
  std::map<std::size_t, std::exception_ptr> failures_;
};

}  // namespace graft
