#include "provisioning/auditor/html_table.h"

#include "provisioning/auditor/html.h"

namespace cardvault::auditor {
namespace {

const char* css_class(HtmlTable::Column column) {
  switch (column) {
    case HtmlTable::Column::kText:
      return "";
    case HtmlTable::Column::kName:
      return " class=\"mono\"";
    case HtmlTable::Column::kLabel:
      return " class=\"mono label\"";
    case HtmlTable::Column::kTime:
      return " class=\"t\"";
    case HtmlTable::Column::kNumber:
      break;
  }
  return " class=\"n\"";
}

}  // namespace

HtmlTable::HtmlTable(Language language, std::vector<Head> head)
    : language_(language), head_(std::move(head)) {}

HtmlTable& HtmlTable::row() {
  rows_ += rows_.empty() ? "<tr>" : "</tr>\n<tr>";
  next_ = 0;
  return *this;
}

HtmlTable& HtmlTable::html(const std::string& value) {
  rows_ += std::string("<td") + css_class(head_[next_++].column) + ">" + value + "</td>";
  return *this;
}

HtmlTable& HtmlTable::text(const std::string& value) {
  // Names in lists may be broken after a comma.
  std::string safe;
  for (const char c : escaped(value)) {
    safe += c;
    if (c == ',') safe += "<wbr>";
  }
  return html(value.empty() ? "" : "<bdi>" + safe + "</bdi>");
}

HtmlTable& HtmlTable::time(std::int64_t unix_ms) {
  return html(unix_ms == 0 ? "–" : short_date(language_, unix_ms, true));
}

HtmlTable& HtmlTable::number(std::uint64_t value) { return html(number_text(language_, value)); }

std::string HtmlTable::done(std::uint64_t left_out) const {
  if (empty()) return "<p class=\"note\">" + std::string(say(language_, Say::kNone)) + "</p>";
  std::string table = "<table><thead><tr>";
  for (const Head& one : head_) {
    table += std::string("<th scope=\"col\"") +
             (one.column == Column::kNumber ? " class=\"n\"" : "") + ">" +
             std::string(say(language_, one.title)) + "</th>";
  }
  table += "</tr></thead><tbody>\n" + rows_ + "</tr></tbody></table>";
  if (left_out != 0) {
    table += "<p class=\"note\">" + std::string(say(language_, Say::kLeftOut)) + " " +
             number_text(language_, left_out) + "</p>";
  }
  return table;
}

}  // namespace cardvault::auditor
