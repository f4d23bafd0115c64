#include "provisioning/recipient_acts.h"

#include <utility>

#include "provisioning/read_file.h"
#include "provisioning/time_text.h"

namespace cardvault::provisioning {
namespace {

ExitCode send(const Context& context, const char* verb, const RecipientOptions& options,
              Arguments arguments) {
  arguments.emplace_back("name", options.name);
  if (!options.ca.empty())
    arguments.emplace_back("ca", read_small_file(options.ca, "CA certificate"));
  if (!options.pin.empty()) arguments.emplace_back("pin", options.pin);
  const std::string certificate = read_small_file(options.certificate, "certificate");
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
