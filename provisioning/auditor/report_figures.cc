#include "provisioning/auditor/report_figures.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace cardvault::auditor {
namespace {

constexpr double kWidth = 720, kLeft = 64, kTop = 10, kPlot = 170, kBelow = 26;
constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kDayMs = 86'400'000;

std::string fixed(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f", value);
  return text.data();
}

std::string attribute(const char* name, double value) {
  return std::string(" ") + name + "=\"" + fixed(value) + "\"";
}

std::string rectangle(const std::string& css_class, double x, double y, double width,
                      double height) {
  return "<rect class=\"" + css_class + "\"" + attribute("x", x) + attribute("y", y) +
         attribute("width", width) + attribute("height", height) + "/>";
}

std::string line(const char* css_class, double x1, double y1, double x2, double y2) {
  return std::string("<line class=\"") + css_class + "\"" + attribute("x1", x1) +
         attribute("y1", y1) + attribute("x2", x2) + attribute("y2", y2) + "/>";
}

std::string label(const char* css_class, double x, double y, const std::string& text) {
  return std::string("<text class=\"") + css_class + "\"" + attribute("x", x) + attribute("y", y) +
         ">" + text + "</text>";
}

// The least of 1, 2, 5 times a power of ten that is at least a quarter of the largest value.
std::uint64_t tick_of(std::uint64_t largest) {
  for (std::uint64_t power = 1;; power *= 10) {
    for (const std::uint64_t step : {power, 2 * power, 5 * power}) {
      if (step * 4 >= largest || step > UINT64_MAX / 100) return step;
    }
  }
}

std::string opening(const std::string& title, double height) {
  return "<svg viewBox=\"0 0 " + fixed(kWidth) + " " + fixed(height) +
         "\" role=\"img\" aria-label=\"" + title + "\">";
}

class Columns {
 public:
  Columns(Language language, const std::vector<Series>& series, std::int64_t begin_ms,
          std::int64_t width_ms)
      : language_(language),
        series_(series),
        begin_ms_(begin_ms),
        width_ms_(width_ms),
        count_(series[0].values.size()),
        step_((kWidth - kLeft) / static_cast<double>(count_)) {
    for (std::size_t i = 0; i < count_; ++i) {
      std::uint64_t sum = 0;
      for (const Series& one : series_) sum += one.values[i];
      largest_ = std::max(largest_, sum);
    }
    tick_ = tick_of(std::max<std::uint64_t>(largest_, 1));
    top_ = (largest_ + tick_ - 1) / tick_ * tick_;
    if (top_ == 0) top_ = tick_;
  }

  [[nodiscard]] std::string drawn(const std::string& title) const {
    std::string svg = opening(title, kTop + kPlot + kBelow);
    for (std::uint64_t value = 0; value <= top_; value += tick_) {
      svg += line(value == 0 ? "axis" : "grid", kLeft, y_of(value), kWidth, y_of(value));
      svg += label("ytick", kLeft - 8, y_of(value) + 4, number_text(language_, value));
    }
    for (std::size_t i = 0; i < count_; ++i) svg += column(i);
    const std::size_t every = std::max<std::size_t>(1, (count_ + 6) / 7);
    for (std::size_t i = 0; i < count_; i += every) {
      const double x = kLeft + static_cast<double>(i) * step_;
      svg += line("axis", x, kTop + kPlot, x, kTop + kPlot + 4);
      if (x < kWidth - 70) svg += label("xtick", x, kTop + kPlot + 18, date_of(i));
    }
    return svg + "</svg>";
  }

 private:
  [[nodiscard]] double y_of(std::uint64_t value) const {
    return kTop + kPlot - kPlot * static_cast<double>(value) / static_cast<double>(top_);
  }
  [[nodiscard]] std::string column(std::size_t i) const {
    std::string svg;
    std::uint64_t below = 0;
    const double x = kLeft + static_cast<double>(i) * step_;
    for (const Series& one : series_) {
      if (one.values[i] == 0) continue;
      const double y = y_of(below + one.values[i]);
      svg += rectangle(one.css_class, x + step_ * 0.1, y, step_ * 0.8, y_of(below) - y);
      below += one.values[i];
    }
    return svg;
  }
  [[nodiscard]] std::string date_of(std::size_t i) const {
    const std::int64_t at = begin_ms_ + static_cast<std::int64_t>(i) * width_ms_;
    std::string text = short_date(language_, at, width_ms_ < kDayMs);
    const bool seconds = width_ms_ < kMinuteMs;
    if (width_ms_ < kDayMs && !seconds) text.resize(text.size() - 3);
    const bool one_day = width_ms_ * static_cast<std::int64_t>(count_) <= 2 * kDayMs;
    return one_day && i != 0 ? text.substr(text.size() - (seconds ? 8 : 5)) : text;
  }

  Language language_;
  const std::vector<Series>& series_;
  std::int64_t begin_ms_, width_ms_;
  std::size_t count_;
  double step_;
  std::uint64_t largest_ = 0, tick_ = 1, top_ = 1;
};

}  // namespace

std::string columns_figure(Language language, const std::string& title,
                           const std::vector<Series>& series, std::int64_t begin_ms,
                           std::int64_t width_ms) {
  std::string html =
      "<figure>" + Columns(language, series, begin_ms, width_ms).drawn(title) + "<figcaption>";
  for (const Series& one : series) {
    html += std::string(
                "<span class=\"key\"><svg class=\"swatch\" viewBox=\"0 0 12 12\" "
                "aria-hidden=\"true\">") +
            rectangle(one.css_class, 0, 0, 12, 12) + "</svg>" + one.name + "</span> ";
  }
  return html + "</figcaption></figure>";
}

std::string bars_figure(Language language, const std::string& title, const std::vector<Bar>& bars) {
  constexpr double kRow = 34, kNames = 150, kEnd = 90;
  std::uint64_t largest = 1;
  for (const Bar& bar : bars) largest = std::max({largest, bar.value, bar.limit});
  const auto x_of = [&](std::uint64_t value) {
    return kNames +
           (kWidth - kNames - kEnd) * static_cast<double>(value) / static_cast<double>(largest);
  };
  std::string svg = opening(title, kRow * static_cast<double>(bars.size()) + 8);
  double y = 4;
  for (const Bar& bar : bars) {
    svg += label("name", kNames - 10, y + 19, bar.name);
    svg += rectangle("track", kNames, y + 6, kWidth - kNames - kEnd, 18);
    svg += rectangle(bar.limit != 0 && bar.value >= bar.limit ? "over" : "revealed", kNames, y + 6,
                     x_of(bar.value) - kNames, 18);
    if (bar.limit != 0) svg += line("limit", x_of(bar.limit), y + 2, x_of(bar.limit), y + 28);
    svg += label("value", kWidth - kEnd + 10, y + 19,
                 number_text(language, bar.value) +
                     (bar.limit == 0 ? "" : " / " + number_text(language, bar.limit)));
    y += kRow;
  }
  return "<figure>" + svg + "</svg></figure>";
}

}  // namespace cardvault::auditor
