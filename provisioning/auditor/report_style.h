// How a report looks, on a screen and on A4. The colours are told apart by those who don't see some
// of them (Okabe and Ito's), and by their lightness on a black-and-white print.
#pragma once

#include <string_view>

namespace cardvault::auditor {

inline constexpr std::string_view kReportStyle = R"css(
:root{--ink:#1b1f24;--soft:#57606a;--rule:#d0d7de;--paper:#fff;--wash:#f6f8fa}
*{box-sizing:border-box}
html{background:var(--wash)}
body{margin:0;font:15px/1.5 "DejaVu Sans","Noto Sans",system-ui,sans-serif;color:var(--ink)}
main{max-width:860px;margin:24px auto;padding:36px 44px;background:var(--paper);
border:1px solid var(--rule);border-radius:6px}
h1{font-size:25px;line-height:1.25;margin:0 0 4px}
h2{font-size:18px;margin:0 0 12px;padding-top:22px;border-top:1px solid var(--rule)}
section{margin-top:28px}
p{margin:6px 0}
.period{font-size:17px;color:var(--soft);margin:0 0 18px}
.note{color:var(--soft);font-size:13px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:3px 18px;margin:10px 0;font-size:14px}
dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}
code,pre,.mono{font-family:"DejaVu Sans Mono","Noto Sans Mono",ui-monospace,monospace;font-size:12.5px}
pre{background:var(--wash);border:1px solid var(--rule);border-radius:4px;padding:8px 10px;
white-space:pre-wrap;overflow-wrap:anywhere;margin:6px 0}
.verdict{border:2px solid;border-radius:6px;padding:12px 16px;margin:14px 0}
.verdict h2{border:0;padding:0;margin:0 0 4px;font-size:17px}
.good{border-color:#1a7f5a;background:#f0faf5}
.good h2{color:#0e5a3e}
.bad{border-color:#b3261e;background:#fdf2f1}
.bad h2{color:#8c1d18}
.tiles{display:grid;grid-template-columns:repeat(3,1fr);gap:12px;padding:0;margin:0;list-style:none}
.tiles li{border:1px solid var(--rule);border-radius:6px;padding:9px 14px}
.tiles b{display:block;font-size:24px;font-weight:600;line-height:1.25;
font-variant-numeric:tabular-nums}
.tiles span{color:var(--soft);font-size:13px}
figure{margin:0}
svg{display:block;width:100%;height:auto}
figcaption{font-size:13px;color:var(--soft);margin-top:4px;padding-left:64px}
.key{display:inline-flex;align-items:center;gap:6px;margin-right:16px}
.swatch{width:12px;height:12px;flex:none}
svg text{font-size:11px;fill:#57606a;font-family:inherit}
.ytick,.name{text-anchor:end}
svg .name,svg .value{font-size:12px;fill:#1b1f24}
.grid{stroke:#e3e8ec;stroke-width:1}
.axis{stroke:#8c959f;stroke-width:1}
.limit{stroke:#1b1f24;stroke-width:2;stroke-dasharray:3 2}
.track{fill:#eef1f4}
.stored{fill:#0072b2}
.repeated{fill:#8fc7ee}
.revealed{fill:#e69f00}
.codes{fill:#009e73}
.other{fill:#9aa3ab}
.refused{fill:#b23b00}
.over{fill:#b23b00}
table{border-collapse:collapse;width:100%;font-size:13px;margin:4px 0}
th,td{text-align:left;vertical-align:top;padding:4px 10px 4px 0;border-bottom:1px solid var(--rule);
overflow-wrap:break-word}
th{font-weight:600;color:var(--soft);border-bottom:2px solid var(--rule);vertical-align:bottom}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
td.n,td.t{white-space:nowrap}
td.t{font-variant-numeric:tabular-nums}
td.label{white-space:nowrap;max-width:150px;overflow:hidden;text-overflow:ellipsis}
.n+td,.n+th{padding-left:14px}
th:last-child,td:last-child{padding-right:0}
details{margin-top:8px;font-size:13px}
summary{cursor:pointer;color:var(--soft)}
footer{margin-top:30px;border-top:1px solid var(--rule);padding-top:10px;font-size:12.5px;
color:var(--soft)}
@media (max-width:640px){main{padding:18px;margin:0;border:0}.tiles{grid-template-columns:1fr 1fr}}
@page{size:A4;margin:15mm 14mm 16mm}
@media print{
html{background:#fff}
body{font-size:10.5pt}
main{max-width:none;margin:0;padding:0;border:0;border-radius:0}
h2{break-after:avoid}
figure,.verdict,.tiles,dl,pre,tr{break-inside:avoid}
.together{break-inside:avoid}
thead{display:table-header-group}
details:not([open]){display:none}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
}
)css";

}  // namespace cardvault::auditor
