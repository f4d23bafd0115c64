#include "provisioning/render.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <iostream>
#include <sstream>

namespace cardvault::provisioning {
namespace {

// Columns on a terminal, near enough: code points (continuation bytes of UTF-8 don't count).
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

// Of the terminal that `out` is; 0 for files, pipes and other streams.
std::size_t columns_of(const std::ostream& out) {
  winsize size{};
  if (&out != &std::cout || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

// The widest columns give way until the table fits.
void shrink(std::vector<std::size_t>& widths, std::size_t columns) {
  constexpr std::size_t kLeast = 12;
  if (columns == 0 || widths.empty()) return;
  std::size_t total = 2 * (widths.size() - 1);
  for (const std::size_t one : widths) total += one;
  for (; total > columns; --total) {
    const auto widest = std::ranges::max_element(widths);
    if (*widest <= kLeast) return;
    --*widest;
  }
}

// Broken between words; a longer word stays whole, so that it can be copied.
std::vector<std::string> wrap(const std::string& cell, std::size_t columns) {
  std::vector<std::string> lines(1);
  std::istringstream words(cell);
  for (std::string word; words >> word;) {
    std::string& line = lines.back();
    if (line.empty()) {
      line = word;
    } else if (width(line) + 1 + width(word) <= columns) {
      line += ' ' + word;
    } else {
      lines.push_back(word);
    }
  }
  return lines;
}

void render_line(std::ostream& out, const std::vector<std::string>& cells,
                 const std::vector<std::size_t>& widths) {
  for (std::size_t i = 0; i < cells.size(); ++i) {
    out << cells[i];
    if (i + 1 == cells.size()) break;
    const std::size_t used = std::min(width(cells[i]), widths[i]);
    out << std::string(widths[i] - used + 2, ' ');
  }
  out << '\n';
}

void render_wrapped(std::ostream& out, const std::vector<std::string>& cells,
                    const std::vector<std::size_t>& widths) {
  std::vector<std::vector<std::string>> wrapped;
  std::size_t height = 0;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    wrapped.push_back(wrap(cells[i], widths[i]));
    height = std::max(height, wrapped.back().size());
  }
  for (std::size_t row = 0; row < height; ++row) {
    std::vector<std::string> line;
    for (const auto& cell : wrapped) line.push_back(row < cell.size() ? cell[row] : "");
    while (line.size() > 1 && line.back().empty()) line.pop_back();
    render_line(out, line, widths);
  }
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
  const auto whole = widths;
  shrink(widths, columns_of(out));
  for (const auto& line : lines) {
    if (widths == whole) {
      render_line(out, line, widths);
    } else {
      render_wrapped(out, line, widths);
    }
  }
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
