#include "support/parity.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/api/include/torch/serialize.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <stdexcept>

#include "graft/core/files.h"

namespace graft::test {

ParityFixture::ParityFixture(const std::string& name) : name_(name) {
  const auto path = std::filesystem::path(GRAFT_FIXTURES_DIR) / name;
  if (!std::filesystem::exists(path))
    throw std::runtime_error("no fixture " + path.string() + ": run tests/parity/*_reference.py, as scripts/test does");
  const std::string bytes = read_file(path);
  const auto items = torch::pickle_load({bytes.begin(), bytes.end()}).toGenericDict();
  for (const auto& item : items) tensors_[item.key().toStringRef()] = item.value().toTensor();
}

const at::Tensor& ParityFixture::at(const std::string& key) const {
  const auto found = tensors_.find(key);
  if (found == tensors_.end()) throw std::runtime_error(name_ + " holds no " + key);
  return found->second;
}

Json ParityFixture::json(const std::string& key) const {
  const at::Tensor bytes = at(key).contiguous();
  const auto* begin = bytes.const_data_ptr<std::uint8_t>();
  return Json::parse(begin, begin + bytes.numel());
}

std::vector<std::string> ParityFixture::names() const {
  std::vector<std::string> names;
  for (const auto& [key, ignored] : tensors_) names.push_back(key);
  return names;
}

std::vector<std::string> ParityFixture::cases(const std::string& suffix) const {
  std::vector<std::string> names;
  for (const auto& [key, ignored] : tensors_)
    if (key.ends_with("/" + suffix)) names.push_back(key.substr(0, key.size() - suffix.size() - 1));
  return names;
}

double relative_error(const at::Tensor& found, const at::Tensor& expected) {
  if (found.sizes() != expected.sizes()) return std::numeric_limits<double>::infinity();
  if (expected.numel() == 0) return 0;
  const at::Tensor a = found.detach().to(at::kDouble), b = expected.detach().to(at::kDouble);
  const double error = (a - b).abs().max().item<double>() / std::max(b.abs().max().item<double>(), 1e-30);
  return std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
}

namespace {

Json& differences() {
  static Json json = Json::object();
  return json;
}

}  // namespace

double noted(const std::string& family, const std::string& name, double difference) {
  Json& kept = differences()[family][name];
  if (kept.is_null() || kept.at("difference").get<double>() < difference) {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    kept = {{"difference", difference}, {"test", std::string(test->test_suite_name()) + "." + test->name()}};
  }
  return difference;
}

void write_differences() {
  const char* file = std::getenv("GRAFT_DIFFERENCES");
  if (file != nullptr) std::ofstream(file) << differences().dump(1);
}

}  // namespace graft::test
