#include "graft/report/page_style.h"

#include "graft/report/html.h"

namespace graft {

const char* const kPageStyle = R"(
:root { color-scheme: light dark; --page: #f7f7f5; --surface: #ffffff; --ink: #1a1a19; --soft: #5f5e5a; --line: #dedcd5;
  --one: #2667c9; --two: #c4560f; --three: #1a7f5a; --right: 38, 103, 201; --wrong: 196, 86, 15; --warn: #fdf3e4; }
@media (prefers-color-scheme: dark) {
  :root { --page: #121211; --surface: #1c1c1a; --ink: #f0efea; --soft: #a5a39c; --line: #383732;
    --one: #6ea2f0; --two: #ee9052; --three: #4fbf93; --right: 78, 138, 230; --wrong: 226, 122, 54; --warn: #33291a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px 20px 48px; max-width: 1080px; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 26px; line-height: 1.25; margin: 0 0 2px; }
h2 { font-size: 17px; margin: 0 0 12px; }
p { margin: 0 0 8px; }
.note { color: var(--soft); font-size: 13px; margin: 8px 0 0; }
section { margin-top: 20px; padding: 18px 20px; background: var(--surface); border: 1px solid var(--line); border-radius: 10px; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px; padding: 0; background: none; border: 0; }
.card { display: flex; flex-direction: column; padding: 14px 16px; background: var(--surface); border: 1px solid var(--line); border-radius: 10px; }
.card b { font-size: 25px; line-height: 1.2; font-weight: 650; }
.card span { margin-top: 2px; }
.card small, small { color: var(--soft); font-size: 12px; }
table { border-collapse: collapse; font-size: 14px; }
th, td { padding: 5px 12px 5px 0; text-align: left; vertical-align: top; }
thead th { color: var(--soft); font-weight: 500; border-bottom: 1px solid var(--line); white-space: nowrap; }
tbody tr + tr td, tbody tr + tr th { border-top: 1px solid var(--line); }
.facts th { color: var(--soft); font-weight: 500; padding-right: 20px; white-space: nowrap; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.wide { overflow-x: auto; overflow-wrap: normal; margin-top: 12px; }
.wide table { min-width: 480px; width: 100%; }
.bar { width: 24%; min-width: 90px; vertical-align: middle; padding-right: 0; }
.bar i { display: block; height: 8px; min-width: 1px; border-radius: 4px; background: var(--one); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); gap: 20px; }
.chart { margin: 0; }
.chart figcaption { font-size: 13px; color: var(--soft); margin-bottom: 4px; }
.chart svg { display: block; width: 100%; height: auto; }
.key::before { content: ""; display: inline-block; width: 14px; height: 3px; margin: 0 5px 3px 8px; border-radius: 2px; background: var(--one); }
.key2::before { background: var(--two); }
.key3::before { background: var(--three); }
.grid { stroke: var(--line); stroke-width: 1; }
.phase { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 3 4; }
.tick { fill: var(--soft); font-size: 12px; }
polyline { fill: none; stroke-width: 2; stroke-linejoin: round; }
.series1 polyline { stroke: var(--one); } .series1 circle { fill: var(--one); }
.series2 polyline { stroke: var(--two); } .series2 circle { fill: var(--two); }
.series3 polyline { stroke: var(--three); } .series3 circle { fill: var(--three); }
.confusion { width: auto !important; min-width: 0 !important; }
.confusion th { font-weight: 500; padding: 6px 10px; }
.confusion tbody th { text-align: right; }
.confusion td { min-width: 52px; padding: 8px; text-align: center; font-variant-numeric: tabular-nums; border: 2px solid var(--surface) !important;
  border-radius: 6px; background: rgba(var(--right), var(--part)); }
.confusion td.wrong { background: rgba(var(--wrong), var(--part)); }
.confusion td.strong { color: #ffffff; }
.photos { display: grid; grid-template-columns: repeat(auto-fill, minmax(132px, 1fr)); gap: 16px; }
.photo { margin: 0; font-size: 13px; line-height: 1.35; }
.photo img, .gone { display: block; width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: 8px; background: var(--line); margin-bottom: 6px; }
.gone { padding: 12px; color: var(--soft); }
.said { margin: 0 0 12px; padding: 0; list-style: none; }
.said li { padding: 8px 12px; border-left: 3px solid var(--two); border-radius: 0 6px 6px 0; background: var(--warn); }
.said li + li { margin-top: 8px; }
@media (max-width: 560px) { body { padding: 16px 12px 32px; } section { padding: 14px; } .cards { padding: 0; grid-template-columns: 1fr 1fr; }
  .facts th { padding-right: 12px; } .photos { grid-template-columns: 1fr 1fr; } }
@media print { body { background: none; } section { break-inside: avoid; } }
)";

std::string html_page(const std::string& title, const std::string& note, const std::string& body) {
  const std::string name = escape_html(title);
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
         name + " \u2013 Graft</title>\n<style>" + kPageStyle + "</style>\n</head>\n<body>\n<h1>" + name +
         "</h1>\n<p class=\"note\">" + escape_html(note) + "</p>\n" + body + "</body>\n</html>\n";
}

}  // namespace graft
