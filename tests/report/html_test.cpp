#include "graft/report/html.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "graft/report/line_chart.h"
#include "graft/report/lr_page.h"

namespace graft {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Html, NamesBecomeText) {
  EXPECT_EQ(escape_html("<a href=\"x\">'&'</a>"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
}

TEST(Html, Base64IsThatOfTheRfc) {
  const std::vector<std::pair<std::string, std::string>> vectors{{"", ""},
                                                                 {"f", "Zg=="},
                                                                 {"fo", "Zm8="},
                                                                 {"foo", "Zm9v"},
                                                                 {"foob", "Zm9vYg=="},
                                                                 {"foobar", "Zm9vYmFy"},
                                                                 {"\xff\xfe", "//4="}};
  for (const auto& [bytes, text] : vectors) EXPECT_EQ(base64(bytes), text);
}

TEST(Html, NumbersReadAsPeopleWriteThem) {
  EXPECT_EQ(percent(0.9314), "93.1 %");
  EXPECT_EQ(short_number(0.00123456), "0.00123");
  EXPECT_EQ(duration(59.94), "59.9 s");
  EXPECT_EQ(duration(61.2), "1 min 01 s");
  EXPECT_EQ(duration(3661), "1 h 01 min");
}

TEST(LineChart, TicksAreRoundNumbersWithinTheRange) {
  EXPECT_THAT(ticks_between(0, 1), testing::ElementsAre(0, testing::DoubleEq(0.2), testing::DoubleEq(0.4),
                                                        testing::DoubleEq(0.6), testing::DoubleEq(0.8), 1));
  EXPECT_FALSE(std::signbit(ticks_between(-1e-15, 60)[0]));
  EXPECT_THAT(ticks_between(1, 30), testing::ElementsAre(10, 20, 30));
  EXPECT_THAT(ticks_between(3, 3), testing::ElementsAre(3));
}

TEST(LineChart, DrawsWhatIsFiniteAndOnlyThat) {
  const double nothing = std::numeric_limits<double>::quiet_NaN();
  const std::string svg = svg_of({"a < b", {{"one & two", {0.5, nothing, 0.25}}}, {0, 1}});
  EXPECT_THAT(svg, HasSubstr("a &lt; b"));
  EXPECT_THAT(svg, HasSubstr("one &amp; two, epoch 3: 0.25"));
  EXPECT_THAT(svg, Not(HasSubstr("epoch 2")));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, HasSubstr("class=\"phase\""));
  const std::string one_epoch = svg_of({"rate", {{"rate", {0.003}}}, {0}, /*logarithmic=*/true});
  EXPECT_THAT(one_epoch, Not(HasSubstr("nan")));
  EXPECT_THAT(one_epoch, Not(HasSubstr("inf")));
}

TEST(LineChart, PlacesMayBeRatesWithMarksAmongThem) {
  const std::string page = lr_page({"<probe>", {1e-6, 1e-4, 1e-2}, {0.9, 0.7, 1.2}, 1e-4, 2e-4});
  EXPECT_THAT(page, HasSubstr("phase &#39;&lt;probe&gt;&#39;"));
  EXPECT_THAT(page, HasSubstr("smoothed loss, learning rate 0.0001: 0.7"));
  for (const char* tick : {">1e-06<", ">1e-05<", ">0.0001<", ">0.001<", ">0.01<", ">valley<", ">steepest<"})
    EXPECT_THAT(page, HasSubstr(tick));
  const auto upright = [&](const std::string& name) {
    const std::string text = page.substr(0, page.find(">" + name + "<"));
    return std::stod(text.substr(text.rfind("x=\"") + 3));
  };
  EXPECT_NEAR(upright("steepest") - upright("valley"), (460 - 52 - 12 - 12) * std::log10(2) / 4, 0.11);
}

}  // namespace
}  // namespace graft
