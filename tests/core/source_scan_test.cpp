#include "graft/core/source_scan.h"

#include <gmock/gmock.h>

#include "graft/core/call_depth.h"

namespace graft {
namespace {

using testing::HasSubstr;

std::string found_in_source(const std::string& text) {
  const auto refusal = scan_sources({{"code/__torch__/net.py", text}});
  return refusal ? refusal->found : "";
}

std::string in_forward(const std::string& line) {
  return found_in_source(
      "class Net(Module):\n  __parameters__ = [\"w\", ]\n  training : bool\n  w : Tensor\n  def forward(self: " +
      std::string("__torch__.net.Net,\n    x: Tensor,\n    y: Optional[int]=None) -> Tensor:\n    ") + line +
      "\n    return x\n");
}

TEST(ScanSources, TakesWhatComputes) {
  EXPECT_EQ(in_forward("x = torch.conv2d(x, self.w, annotate(Optional[Tensor], None), [1, 1])"), "");
  EXPECT_EQ(in_forward("ops.prim.RaiseException(\"save(print)\")"), "");
  EXPECT_EQ(in_forward("x = __torch__.torch.nn.functional.save(x)"), "");
}

TEST(ScanSources, RefusesEffectsHoweverTheyAreReached) {
  EXPECT_THAT(in_forward("torch.save(x, \"f\")"), HasSubstr("aten::save"));
  EXPECT_THAT(in_forward("x.save(\"f\")"), HasSubstr("save"));
  EXPECT_THAT(in_forward("(x).save(\"f\")"), HasSubstr("save"));
  EXPECT_THAT(in_forward("[x][0].save(\"f\")"), HasSubstr("save"));
  EXPECT_THAT(in_forward("a = torch"), HasSubstr("'torch' as a value"));
  EXPECT_THAT(in_forward("a = ops.aten"), HasSubstr("'ops' as a value"));
  EXPECT_THAT(in_forward("print(x)"), HasSubstr("print"));
  EXPECT_THAT(in_forward("ops.mine.run(x)"), HasSubstr("mine::run"));
  EXPECT_THAT(in_forward("x = __torch__.torch.classes.mine.Thing()"), HasSubstr("custom class"));
}

TEST(ScanSources, NamesQuantisedAndOptimisedFilesFirst) {
  EXPECT_THAT(in_forward("torch.save(x, \"f\")\n    ops.quantized.linear(x)"), HasSubstr("aten::save"));
  EXPECT_THAT(in_forward("x = ops.quantized.linear(x)"), HasSubstr("is quantised"));
  EXPECT_THAT(in_forward("x = ops.prim.ConstantMKLDNNTensor()"), HasSubstr("optimize_for_inference"));
}

TEST(ScanSources, RefusesWhatWouldRunWhileLoading) {
  EXPECT_THAT(
      found_in_source(
          "class N(Module):\n  def __setstate__(self: __torch__.net.N, s: int) -> NoneType:\n    return None\n"),
      HasSubstr("__setstate__"));
  EXPECT_THAT(found_in_source("def f(x: int=torch.len([1])) -> int:\n  return x\n"), HasSubstr("default"));
  EXPECT_THAT(found_in_source("def f(x: int=g()) -> int:\n  return x\n"), HasSubstr("default"));
  EXPECT_THAT(found_in_source("class N(NamedTuple):\n  a : int = g()\n"), HasSubstr("default"));
  EXPECT_EQ(found_in_source("def f(x: List[int]=annotate(List[int], [])) -> int:\n  return 0\n"), "");
}

TEST(ScanSources, StopsAtItsLimits) {
  const auto brackets = [](std::size_t n) { return "a = " + std::string(n, '[') + std::string(n, ']'); };
  EXPECT_EQ(in_forward(brackets(60)), "");
  EXPECT_THAT(in_forward(brackets(70)), HasSubstr("brackets"));
  std::string sum = "a = 1", list = "a = [1";
  for (int i = 0; i < 1000; ++i) sum += " + 1", list += ", 1";
  EXPECT_THAT(in_forward(sum), HasSubstr("tokens"));
  EXPECT_EQ(in_forward(list + "]"), "");
}

TEST(ScanSources, RefusesValuesThatDouble) {
  for (const std::string line :
       {"a = torch.add(a, a)", "a = a + a", "a = (a, a)", "a += a", "a = torch.format(\"{}{}\", a, a)",
        "a, b = ((a, a), 1)", "a, b = (a, a), b", "b, a = b, (a, a)", "(a, b), c = ((a, a), b), 1", "a = b = (a, a)",
        "a = annotate(str, (a, a)[0])"}) {
    std::string lines = "a = \"x\"";
    for (int i = 0; i < 25; ++i) lines += "\n    " + line;
    EXPECT_THAT(in_forward(lines), HasSubstr("million")) << line;
  }
  std::string residual = "a = x";
  for (int i = 0; i < 200; ++i) residual += "\n    a = torch.add(torch.relu(torch.conv2d(a, self.w)), a)";
  EXPECT_EQ(in_forward(residual), "");
  std::string pairs = "a, b = \"xxxx\", \"yyyy\"";
  for (int i = 0; i < 100; ++i) pairs += "\n    a, b = b, a";
  EXPECT_EQ(in_forward(pairs), "");
  EXPECT_THAT(in_forward("a = [(i, i) for i in [x]]"), HasSubstr("comprehension"));
  EXPECT_THAT(found_in_source("def f(x: Tensor):\n  return x\n"), HasSubstr("returns"));
}

TEST(CallDepth, AddsWhatNeedsEachOther) {
  EXPECT_EQ(call_depth({}), 0);
  EXPECT_EQ(call_depth({{"a", {2, {"b.method", "c"}}}, {"b", {3, {"c"}}}, {"c", {4, {}}}}), 9);
  EXPECT_EQ(call_depth({{"a", {2, {"b"}}}, {"b", {3, {"a"}}}, {"c", {1, {"a", "c"}}}}), 6);
  std::map<std::string, Definition> chain;
  for (int i = 0; i < 100'000; ++i) chain["f" + std::to_string(i)] = {1, {"f" + std::to_string(i + 1)}};
  EXPECT_EQ(call_depth(chain), 100'000);
}

}  // namespace
}  // namespace graft
