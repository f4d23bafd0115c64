#include "provisioning/recipient_acts.h"

#include <fstream>
#include <iterator>
#include <utility>

#include "provisioning/time_text.h"

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

}  // namespace cardvault::provisioning
