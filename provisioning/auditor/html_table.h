// Tables of a report.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "provisioning/auditor/report_text.h"

namespace cardvault::auditor {

// Rows of text, times and numbers under a head line. Not thread-safe.
class HtmlTable {
 public:
  // kLabel: a name that is not broken; where it is too long, its end isn't shown.
  enum class Column : std::uint8_t { kText, kName, kLabel, kTime, kNumber };
  struct Head {
    Say title;
    Column column;
  };
  HtmlTable(Language language, std::vector<Head> head);

  HtmlTable& row();
  HtmlTable& text(const std::string& value);  // of the log: escaped
  HtmlTable& html(const std::string& value);
  HtmlTable& time(std::int64_t unix_ms);  // 0: none
  HtmlTable& number(std::uint64_t value);

  [[nodiscard]] bool empty() const noexcept { return rows_.empty(); }
  // Says that there is nothing, when there is no row; and how many rows are left out.
  [[nodiscard]] std::string done(std::uint64_t left_out = 0) const;

 private:
  Language language_;
  std::vector<Head> head_;
  std::size_t next_ = 0;
  std::string rows_;
};

}  // namespace cardvault::auditor
