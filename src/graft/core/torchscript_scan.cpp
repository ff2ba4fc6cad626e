#include "graft/core/torchscript_scan.h"

#include <caffe2/serialize/inline_container.h>

#include <fstream>
#include <set>

#include "graft/core/error.h"
#include "graft/core/pickle_scan.h"
#include "graft/core/reason.h"

namespace graft {
namespace {

using caffe2::serialize::PyTorchStreamReader;

// Networks have 20 kB a source and 100 kB a pickle.
constexpr std::uint64_t kMaxSource = std::uint64_t{8} << 20;
constexpr std::uint64_t kMaxPickle = std::uint64_t{8} << 20;
constexpr std::uint64_t kMaxSources = std::uint64_t{32} << 20;

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

void check_is_zip(const std::filesystem::path& path, const std::string& subject) {
  if (std::filesystem::is_directory(path)) throw Error({subject, "is a folder", "a TorchScript file", ""});
  if (std::filesystem::exists(path) && !std::filesystem::is_regular_file(path))
    throw Error({subject, "is no regular file", "a TorchScript file", ""});
  if (!std::ifstream(path)) throw Error({subject, "cannot be opened", "a readable TorchScript file", ""});
  if (std::filesystem::file_size(path) == 0)
    throw Error({subject, "is empty", "a TorchScript file", "incomplete download?"});
  if (starts_with_bytes(path, "\x80\x02")) throw_no_torchscript(subject, "is a Python pickle (an old torch.save file)");
  if (!starts_with_bytes(path, "PK")) throw_no_torchscript(subject, "is not a zip archive");
}

void check_holds_program(const ArchiveRecords& records, const std::string& subject) {
  const auto code = records.lower_bound("code/");
  const bool has_code = code != records.end() && code->first.starts_with("code/");
  if (records.contains("model.json")) throw_no_torchscript(subject, "is of a format that PyTorch gave up before 1.1");
  const bool has_version = records.contains("version") || records.contains(".data/version");
  if (has_version && has_code && records.contains("constants.pkl") && records.contains("data.pkl")) return;
  if (records.contains("data.pkl"))
    throw_no_torchscript(subject, "holds tensors but no program (a state_dict or pickled module of torch.save)");
  throw_no_torchscript(subject, "is a zip archive without a TorchScript program");
}

/// Two readers that disagree about an archive are how one is shown a harmless file and the other is not.
void check_readers_agree(PyTorchStreamReader& reader, const ArchiveRecords& records, const std::string& subject) {
  std::set<std::string> seen;
  bool agree = true;
  for (const auto& name : reader.getAllRecords()) {
    if (name.empty() || name.ends_with('/')) continue;
    const auto known = records.find(name);
    agree = agree && known != records.end() && reader.getRecordSize(name) == known->second.size;
    seen.insert(name);
  }
  if (!agree || seen.size() != records.size())
    throw Error({subject, "is an archive that two readers read differently", "an archive as torch.jit.save writes it",
                 "do not use it unless you know who made it"});
}

std::string read_record(PyTorchStreamReader& reader, const std::string& name) {
  const auto [data, size] = reader.getRecord(name);
  return {static_cast<const char*>(data.get()), size};
}

Sources read_sources(PyTorchStreamReader& reader, const ArchiveRecords& records, const std::string& subject) {
  Sources sources;
  std::uint64_t total = 0;
  for (const auto& [name, record] : records) {
    if (!name.starts_with("code/") || !name.ends_with(".py")) continue;
    total += record.size;
    if (record.size > kMaxSource || total > kMaxSources)
      throw_refused(subject, {Refusal::Kind::kOperator, "its program is too long for a network's"});
    sources.emplace(name, read_record(reader, name));
  }
  return sources;
}

/// What LibTorch unpickles: the module, its constants and, when it describes an error, places in sources.
bool is_pickle(const std::string& name) {
  return name == "data.pkl" || name == "constants.pkl" || (name.starts_with("code/") && name.ends_with(".debug_pkl"));
}

void scan_pickles(PyTorchStreamReader& reader, const ArchiveRecords& records, const std::string& subject) {
  for (const auto& [name, record] : records) {
    if (!is_pickle(name)) continue;
    if (record.size > kMaxPickle)
      throw_refused(subject, {Refusal::Kind::kOperator, "its data '" + name + "' are too long for a network's"});
    // data.pkl keeps its tensors in data/, constants.pkl in constants/.
    const std::string folder = name.substr(0, name.size() - 4) + "/";
    const auto storage_bytes = [&](const std::string& key) -> std::optional<std::uint64_t> {
      const auto found = records.find(folder + key);
      return found == records.end() ? std::nullopt : std::optional(found->second.size);
    };
    if (const auto refusal = scan_pickle(read_record(reader, name), storage_bytes)) throw_refused(subject, *refusal);
  }
}

/// Runs a part of LibTorch over the file, whose complaints become errors of the file's.
template <typename Look>
void with_reader(const std::filesystem::path& path, const std::string& subject, const Look& look) {
  const auto damaged = [&](const std::string& text) {
    throw Error(
        {subject, "is damaged (" + reason_in(text) + ")", "a complete TorchScript file", "incomplete download?"});
  };
  try {
    PyTorchStreamReader reader(path.string());
    look(reader);
  } catch (const Error&) {
    throw;
  } catch (const c10::Error& error) {
    damaged(error.what_without_backtrace());
  } catch (const std::exception& error) {
    damaged(error.what());
  }
}

}  // namespace

ArchiveRecords check_torchscript_archive(const std::filesystem::path& path, const std::string& subject) {
  check_is_zip(path, subject);
  const auto records = scan_archive(path, subject);
  check_holds_program(records, subject);
  with_reader(path, subject, [&](PyTorchStreamReader& reader) { check_readers_agree(reader, records, subject); });
  return records;
}

void scan_torchscript_program(const std::filesystem::path& path, const ArchiveRecords& records,
                              const std::string& subject) {
  check_archive_checksums(path, subject);
  with_reader(path, subject, [&](PyTorchStreamReader& reader) {
    if (const auto refusal = scan_sources(read_sources(reader, records, subject))) throw_refused(subject, *refusal);
    scan_pickles(reader, records, subject);
  });
}

}  // namespace graft
