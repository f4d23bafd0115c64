#include "provisioning/recipient_acts.h"

#include <charconv>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <utility>

namespace cardvault::provisioning {
namespace {

constexpr std::size_t kMostBytes = 60'000;  // of an argument (protocol/wire/codec.h)

std::string contents(const std::string& path, const char* what) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file || bytes.empty()) throw ToolError(ExitCode::kLocal, path + ": cannot be read");
  if (bytes.size() > kMostBytes) {
    throw ToolError(ExitCode::kLocal, path + " is no " + what + ": longer than 60,000 bytes");
  }
  return bytes;
}

ExitCode send(const Context& context, const char* verb, const RecipientOptions& options,
              Arguments arguments) {
  arguments.emplace_back("name", options.name);
  if (!options.ca.empty()) arguments.emplace_back("ca", contents(options.ca, "CA certificate"));
  if (!options.pin.empty()) arguments.emplace_back("pin", options.pin);
  const std::string certificate = contents(options.certificate, "certificate");
  const auto backend = context.open(context);
  return conclude(context, ask(context, *backend, verb, std::move(arguments),
                               base::SecretBuffer(certificate.begin(), certificate.end())));
}

}  // namespace

ExitCode add_recipient(const Context& context, const RecipientOptions& options) {
  return send(context, "recipient.add", options, {{"may", options.may}});
}

ExitCode replace_recipient(const Context& context, const RecipientOptions& options) {
  Arguments arguments;
  if (!options.after.empty()) {
    arguments.emplace_back("after_s", std::to_string(parse_duration(options.after)));
  }
  if (!options.from.empty()) {
    arguments.emplace_back("from_ms", std::to_string(parse_time(options.from)));
  }
  return send(context, "recipient.replace", options, std::move(arguments));
}

std::int64_t parse_duration(const std::string& text) {
  constexpr std::pair<char, std::int64_t> kUnits[] = {
      {'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86'400}};
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc() && at + 1 == end && value >= 0 && value <= 1'000'000) {
    for (const auto& [unit, seconds] : kUnits) {
      if (*at == unit) return value * seconds;
    }
  }
  throw ToolError(ExitCode::kUsage,
                  "a duration is a number with s, m, h or d, as in 36h: not '" + text + "'");
}

std::int64_t parse_time(const std::string& text) {
  for (const char* form : {"%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%MZ", "%Y-%m-%d"}) {
    std::tm parts{};
    const char* end = ::strptime(text.c_str(), form, &parts);
    if (end == nullptr || *end != '\0') continue;
    const std::tm asked = parts;
    const std::time_t seconds = ::timegm(&parts);
    if (parts.tm_mday == asked.tm_mday && seconds > 0) return std::int64_t{seconds} * 1000;
  }
  throw ToolError(ExitCode::kUsage,
                  "a time is UTC, as in 2026-12-01T06:00:00Z or 2026-12-01: not '" + text + "'");
}

}  // namespace cardvault::provisioning
