#include "provisioning/render.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>

namespace cardvault::provisioning {
namespace {

// Columns on a terminal, near enough: code points (continuation bytes of UTF-8 don't count).
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

void render_line(std::ostream& out, const std::vector<std::string>& cells,
                 const std::vector<std::size_t>& widths) {
  for (std::size_t i = 0; i < cells.size(); ++i) {
    out << cells[i];
    if (i + 1 < cells.size()) out << std::string(widths[i] - width(cells[i]) + 2, ' ');
  }
  out << '\n';
}

void render_table(std::ostream& out, const wire::AdminAnswer& answer) {
  std::vector<std::vector<std::string>> lines;
  auto& head = lines.emplace_back(answer.columns);
  for (std::string& cell : head) {
    for (char& c : cell) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  std::vector<std::size_t> widths(answer.columns.size(), 0);
  for (const auto& row : answer.rows) {
    auto& line = lines.emplace_back();
    for (const std::string& cell : row) line.push_back(printable(cell));
    line.resize(widths.size());
  }
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], width(line[i]));
  }
  for (const auto& line : lines) render_line(out, line, widths);
}

void render_json(std::ostream& out, const wire::AdminAnswer& answer) {
  out << '[';
  for (std::size_t r = 0; r < answer.rows.size(); ++r) {
    out << (r == 0 ? "\n  {" : ",\n  {");
    const std::size_t cells = std::min(answer.columns.size(), answer.rows[r].size());
    for (std::size_t i = 0; i < cells; ++i) {
      if (i != 0) out << ", ";
      out << json_string(answer.columns[i]) << ": " << json_string(answer.rows[r][i]);
    }
    out << '}';
  }
  out << (answer.rows.empty() ? "]\n" : "\n]\n");
}

}  // namespace

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(c));
      out += escape.data();
    } else {
      out += c;
    }
  }
  return out += '"';
}

std::string printable(std::string_view text) {
  std::string out(text);
  std::replace_if(
      out.begin(), out.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return out;
}

void render(std::ostream& out, Format format, const wire::AdminAnswer& answer) {
  if (format == Format::kJson) {
    render_json(out, answer);
  } else if (!answer.columns.empty()) {
    render_table(out, answer);
  }
}

}  // namespace cardvault::provisioning
