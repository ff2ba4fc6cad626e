#include "graft/core/torchscript_file.h"

#include <caffe2/serialize/inline_container.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>
#include <array>
#include <fstream>

#include "graft/core/error.h"

namespace graft {
namespace {

/// The first sentence, without the place in LibTorch's sources before it and the advice for its developers behind it.
std::string first_sentence(std::string text) {
  if (text.starts_with("[enforce fail")) text.erase(0, std::min(text.size(), text.find("] ") + 2));
  return text.substr(0, std::min(text.find('\n'), text.find(". ")));
}

bool starts_with_bytes(const std::filesystem::path& path, std::string_view bytes) {
  std::ifstream file(path, std::ios::binary);
  std::string head(bytes.size(), '\0');
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  return file.gcount() == static_cast<std::streamsize>(bytes.size()) && head == bytes;
}

[[noreturn]] void throw_no_torchscript(const std::string& subject, const std::string& found) {
  throw Error({subject, found, "a TorchScript file (torch.jit.save)",
               "load it in Python and save torch.jit.script(model) or torch.jit.trace(model, example); "
               "scripts/export_backbone.py does so for torchvision, timm and state_dict files"});
}

void check_structure(const std::filesystem::path& path, const std::string& subject) {
  if (std::filesystem::is_directory(path)) throw Error({subject, "is a folder", "a TorchScript file", ""});
  if (!std::ifstream(path)) throw Error({subject, "cannot be opened", "a readable TorchScript file", ""});
  if (std::filesystem::file_size(path) == 0)
    throw Error({subject, "is empty", "a TorchScript file", "incomplete download?"});
  if (starts_with_bytes(path, "\x80\x02")) throw_no_torchscript(subject, "is a Python pickle (an old torch.save file)");
  if (!starts_with_bytes(path, "PK")) throw_no_torchscript(subject, "is not a zip archive");
  std::vector<std::string> records;
  try {
    records = caffe2::serialize::PyTorchStreamReader(path.string()).getAllRecords();
  } catch (const c10::Error& error) {
    const std::string reason = error.what_without_backtrace();
    if (reason.find("hasRecord(\"version\")") != std::string::npos ||
        reason.find("not in a subdirectory") != std::string::npos)
      throw_no_torchscript(subject, "is a zip archive without a TorchScript program");
    throw Error({subject, "is a damaged zip archive (" + first_sentence(error.what_without_backtrace()) + ")",
                 "a complete TorchScript file", "incomplete download?"});
  }
  const auto has = [&](const std::string& name) {
    return std::find(records.begin(), records.end(), name) != records.end();
  };
  const bool has_code =
      std::any_of(records.begin(), records.end(), [](const auto& r) { return r.starts_with("code/"); });
  if (has_code && has("constants.pkl") && has("data.pkl")) return;
  if (has("data.pkl"))
    throw_no_torchscript(subject, "holds tensors but no program (a state_dict or pickled module of torch.save)");
  throw_no_torchscript(subject, "is a zip archive without a TorchScript program");
}

}  // namespace

torch::jit::Module load_torchscript(const std::filesystem::path& path, const std::string& role,
                                    std::map<std::string, std::string>* extra_files) {
  const std::string subject = role + " '" + path.string() + "'";
  check_structure(path, subject);
  torch::jit::ExtraFilesMap wanted;
  if (extra_files != nullptr) wanted.insert(extra_files->begin(), extra_files->end());
  try {
    auto module = torch::jit::load(path.string(), c10::kCPU, wanted);
    if (extra_files != nullptr) *extra_files = {wanted.begin(), wanted.end()};
    return module;
  } catch (const c10::Error& error) {
    throw Error({subject, "LibTorch cannot load it (" + first_sentence(error.what_without_backtrace()) + ")",
                 "an undamaged TorchScript file", "incomplete download, or saved by a newer PyTorch?"});
  } catch (const std::exception& error) {
    throw Error({subject, "LibTorch cannot load it (" + first_sentence(error.what()) + ")",
                 "an undamaged TorchScript file", ""});
  }
}

bool has_extra_file(const std::filesystem::path& path, const std::string& role, const std::string& name) {
  check_structure(path, role + " '" + path.string() + "'");
  return caffe2::serialize::PyTorchStreamReader(path.string()).hasRecord("extra/" + name);
}

}  // namespace graft
