#include "vault/core/pan.h"

#include <algorithm>

#include "vault/base/check.h"
#include "vault/base/secret.h"
#include "vault/core/luhn.h"

namespace cardvault::core {
namespace {

constexpr std::size_t kLastDigits = 4;
constexpr std::size_t kShortBin = 6;
constexpr std::size_t kLongBin = 8;
constexpr std::size_t kLongBinFrom = 16;  // digits of a PAN, PCI SSC FAQ 1091

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool is_separator(char c) noexcept { return c == ' ' || c == '-'; }

// A stretch of text that is digits with single separators between them.
struct Run {
  std::size_t begin = 0;
  std::size_t end = 0;  // past its last digit
  std::size_t digits = 0;
};

Run run_at(std::string_view text, std::size_t begin) noexcept {
  Run run{begin, begin, 0};
  std::size_t at = begin;
  while (at < text.size() && is_digit(text[at])) {
    ++run.digits;
    run.end = ++at;
    if (at + 1 < text.size() && is_separator(text[at]) && is_digit(text[at + 1])) ++at;
  }
  return run;
}

// Does a PAN begin at `first`? Where `anywhere` is false it has to end where a group of digits
// ends.
bool pan_begins(std::string_view run, std::size_t first, bool anywhere) noexcept {
  LuhnSums sums;
  std::size_t digits = 0;
  for (std::size_t i = first; i < run.size() && digits < Pan::kMaxDigits; ++i) {
    if (!is_digit(run[i])) continue;
    sums.add(static_cast<unsigned>(run[i] - '0'));
    ++digits;
    const bool group_ends = i + 1 == run.size() || !is_digit(run[i + 1]);
    if (digits >= Pan::kMinDigits && (anywhere || group_ends) && sums.valid()) return true;
  }
  return false;
}

bool run_holds_pan(std::string_view run, std::size_t digits) noexcept {
  const bool anywhere = digits > Pan::kMaxDigits;
  for (std::size_t i = 0; i < run.size(); ++i) {
    const bool group_begins = i == 0 || !is_digit(run[i - 1]);
    if (is_digit(run[i]) && (anywhere || group_begins) && pan_begins(run, i, anywhere)) return true;
  }
  return false;
}

}  // namespace

base::Result<Pan> Pan::parse(std::string_view text) {
  const auto refuse = [] { return base::fail(base::Code::kInvalidPan, "Pan::parse"); };
  Pan pan;
  bool after_digit = false;
  for (const char c : text) {
    if (is_digit(c)) {
      if (pan.size_ == kMaxDigits) return refuse();
      pan.digits_[pan.size_++] = c;
      after_digit = true;
    } else {
      if (!is_separator(c) || !after_digit) return refuse();
      after_digit = false;
    }
  }
  if (!after_digit || pan.size_ < kMinDigits) return refuse();
  return pan;
}

Pan::Pan(Pan&& other) noexcept : digits_(other.digits_), size_(other.size_) {
  base::wipe(other.digits_.data(), other.digits_.size());
  other.size_ = 0;
}

Pan& Pan::operator=(Pan&& other) noexcept {
  if (this != &other) {
    digits_ = other.digits_;
    size_ = other.size_;
    base::wipe(other.digits_.data(), other.digits_.size());
    other.size_ = 0;
  }
  return *this;
}

Pan::~Pan() { base::wipe(digits_.data(), digits_.size()); }

bool Pan::luhn_valid() const noexcept { return core::luhn_valid(expose()); }

std::string Pan::last4() const {
  return size_ < kLastDigits ? std::string() : std::string(expose().substr(size_ - kLastDigits));
}

std::string Pan::bin_digits(unsigned allowed) const {
  CARDVAULT_CHECK(allowed == 0 || allowed == kShortBin || allowed == kLongBin);
  const std::size_t kept = allowed == kLongBin && size_ < kLongBinFrom ? kShortBin : allowed;
  return std::string(expose().substr(0, kept));
}

bool luhn_valid(std::string_view digits) noexcept {
  LuhnSums sums;
  bool all_digits = !digits.empty();
  for (const char c : digits) {
    all_digits = all_digits && is_digit(c);
    sums.add(static_cast<unsigned char>(c) & 0x0fU);
  }
  return all_digits && sums.valid();
}

bool contains_pan(std::string_view text) noexcept {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!is_digit(text[i])) continue;
    const Run run = run_at(text, i);
    if (run.digits >= Pan::kMinDigits &&
        run_holds_pan(text.substr(run.begin, run.end - run.begin), run.digits)) {
      return true;
    }
    i = run.end;  // what follows a run is no digit
  }
  return false;
}

std::string mask_pan(std::string_view bin, std::string_view last4, std::size_t digits) {
  // A record that says otherwise is damaged: then show the last four only.
  if (bin.size() + last4.size() >= digits) bin = {};
  const std::size_t shown = bin.size() + last4.size();
  std::string masked(bin);
  masked.append(std::max(digits, shown) - shown, '*');
  masked += last4;
  return masked;
}

}  // namespace cardvault::core
