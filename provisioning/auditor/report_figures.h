// Pictures of a report, as inline SVG without styles or scripts of their own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "provisioning/auditor/report_text.h"

namespace cardvault::auditor {

struct Series {
  const char* css_class;              // its colour and pattern
  std::string name;                   // as HTML
  std::vector<std::uint64_t> values;  // one per column
};
// Columns over time, one series on the other, with a legend. `begin_ms` of the first column.
[[nodiscard]] std::string columns_figure(Language language, const std::string& title,
                                         const std::vector<Series>& series, std::int64_t begin_ms,
                                         std::int64_t width_ms);

struct Bar {
  std::string name;  // as HTML
  std::uint64_t value = 0;
  std::uint64_t limit = 0;  // 0: none is known
};
// A bar for each, with a mark where its limit is.
[[nodiscard]] std::string bars_figure(Language language, const std::string& title,
                                      const std::vector<Bar>& bars);

}  // namespace cardvault::auditor
