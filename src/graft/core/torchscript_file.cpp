#include "graft/core/torchscript_file.h"

#include <caffe2/serialize/inline_container.h>
#include <torch/csrc/jit/serialization/import.h>

#include "graft/core/error.h"
#include "graft/core/module_scan.h"
#include "graft/core/reason.h"
#include "graft/core/torchscript_scan.h"

namespace graft {
namespace {

torch::jit::Module load_module(const std::filesystem::path& path, const std::string& subject,
                               std::map<std::string, std::string>* extra_files) {
  torch::jit::ExtraFilesMap wanted;
  if (extra_files != nullptr) wanted.insert(extra_files->begin(), extra_files->end());
  try {
    auto module = torch::jit::load(path.string(), c10::kCPU, wanted);
    if (extra_files != nullptr) *extra_files = {wanted.begin(), wanted.end()};
    return module;
  } catch (const c10::Error& error) {
    throw Error({subject, "LibTorch cannot load it (" + reason_in(error.what_without_backtrace()) + ")",
                 "an undamaged TorchScript file", "incomplete download, or saved by a newer PyTorch?"});
  } catch (const std::exception& error) {
    throw Error(
        {subject, "LibTorch cannot load it (" + reason_in(error.what()) + ")", "an undamaged TorchScript file", ""});
  }
}

}  // namespace

torch::jit::Module load_torchscript(const std::filesystem::path& path, const std::string& role, Trust trust,
                                    std::map<std::string, std::string>* extra_files) {
  const std::string subject = role + " '" + path.string() + "'";
  const ArchiveRecords records = check_torchscript_archive(path, subject);
  if (trust == Trust::kScan) scan_torchscript_program(path, records, subject);
  auto module = load_module(path, subject, extra_files);
  if (trust == Trust::kScan)
    if (const auto refusal = scan_module(module)) throw_refused(subject, *refusal);
  return module;
}

bool has_extra_file(const std::filesystem::path& path, const std::string& role, const std::string& name) {
  check_torchscript_archive(path, role + " '" + path.string() + "'");
  return caffe2::serialize::PyTorchStreamReader(path.string()).hasRecord("extra/" + name);
}

}  // namespace graft
