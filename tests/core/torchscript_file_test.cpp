#include "graft/core/torchscript_file.h"

#include <gmock/gmock.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include "graft/core/error.h"
#include "graft/core/files.h"
#include "support/temporary_folder.h"

namespace graft {
namespace {

using testing::HasSubstr;

std::string reason(const std::filesystem::path& path) {
  try {
    load_torchscript(path, "backbone", Trust::kScan);
  } catch (const Error& error) {
    return error.what();
  }
  return "loaded";
}

void save_module(const std::filesystem::path& path) {
  torch::jit::Module module("__torch__.Tiny");
  module.register_parameter("weight", torch::ones({200, 100}), false);
  module.define("def forward(self, x):\n  return x * self.weight\n");
  module.save(path.string());
}

TEST(LoadTorchscript, LoadsWhatTorchJitSaved) {
  test::TemporaryFolder folder;
  save_module(folder / "m.pt");
  EXPECT_EQ(load_torchscript(folder / "m.pt", "backbone", Trust::kScan).attr("weight").toTensor().size(0), 200);
}

TEST(LoadTorchscript, TellsApartWhatIsNoTorchScript) {
  test::TemporaryFolder folder;
  EXPECT_THAT(reason(folder / "absent.pt"), HasSubstr("cannot be opened"));
  replace_file(folder / "empty.pt", "");
  EXPECT_THAT(reason(folder / "empty.pt"), HasSubstr("is empty"));
  replace_file(folder / "text.pt", "hello there");
  EXPECT_THAT(reason(folder / "text.pt"), HasSubstr("not a zip"));
  replace_file(folder / "legacy.pth", std::string("\x80\x02\x8a", 3));
  EXPECT_THAT(reason(folder / "legacy.pth"), HasSubstr("pickle"));
  c10::Dict<std::string, at::Tensor> state;
  state.insert("weight", torch::ones({2}));
  const auto bytes = torch::jit::pickle_save(state);
  replace_file(folder / "state.pth", std::string_view(bytes.data(), bytes.size()));
  EXPECT_THAT(reason(folder / "state.pth"), HasSubstr("state_dict"));
  EXPECT_THAT(reason(folder / "state.pth"), HasSubstr("export_backbone.py"));
}

TEST(LoadTorchscript, NamesATruncatedFileWhereverItEnds) {
  test::TemporaryFolder folder;
  save_module(folder / "m.pt");
  const std::string whole = read_file(folder / "m.pt");
  for (const double part : {0.001, 0.1, 0.5, 0.9, 0.999}) {
    const auto length = static_cast<std::size_t>(part * static_cast<double>(whole.size()));
    replace_file(folder / "cut.pt", std::string_view(whole).substr(0, length));
    EXPECT_THROW(load_torchscript(folder / "cut.pt", "backbone", Trust::kScan), Error) << part;
  }
}

}  // namespace
}  // namespace graft
