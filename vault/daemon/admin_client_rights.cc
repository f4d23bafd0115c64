// Verbs about what a client may do. Whatever gives one more than it had takes the custodians'
// quorum, once there are custodians; taking away takes an operator.
#include <algorithm>
#include <array>
#include <limits>
#include <optional>

#include "vault/core/text_form.h"
#include "vault/daemon/admin.h"
#include "vault/daemon/admin_answers.h"
#include "vault/daemon/name_list.h"

namespace cardvault::daemon {

using base::Code;

namespace {

// What the request says of rights into `client`; what it says nothing of stays. Empty, or what is
// wrong.
std::string read_rights(const std::vector<std::pair<std::string, std::string>>& arguments,
                        core::Client& client) {
  for (const auto& [name, value] : arguments) {
    if (name == "permissions") {
      const auto permissions = core::Permissions::parse(split_names(value));
      if (!permissions) {
        return "unknown permission; known are: " +
               join_names(core::Permissions{UINT32_MAX}.names());
      }
      client.permissions = *permissions;
    } else if (name == "purposes") {
      client.purposes = split_names(value);
      for (const std::string& purpose : client.purposes) {
        if (purpose != "*" && !core::valid_client_id(purpose)) {
          return "a purpose is a short name, or *";
        }
      }
    }
  }
  return "";
}

bool wider(std::uint32_t before, std::uint32_t after, std::uint32_t otherwise) {
  const auto effective = [&](std::uint32_t own) {
    const std::uint32_t limit = own != 0 ? own : otherwise;
    return limit != 0 ? limit : std::numeric_limits<std::uint32_t>::max();  // 0: no limit
  };
  return effective(after) > effective(before);
}

bool has_purpose(const core::Client& client, const std::string& purpose) {
  return std::ranges::any_of(client.purposes,
                             [&](const std::string& one) { return one == "*" || one == purpose; });
}

// Whether `after` may anything that `before` may not.
bool widens(const core::Client& before, const core::Client& after, const core::Settings& settings) {
  return (after.permissions.bits & ~before.permissions.bits) != 0 ||
         !std::ranges::all_of(after.purposes,
                              [&](const std::string& one) { return has_purpose(before, one); }) ||
         wider(before.rate_per_s, after.rate_per_s, settings.rate_per_s) ||
         wider(before.reveals_per_hour, after.reveals_per_hour, settings.reveal.client_per_hour) ||
         wider(before.reveals_per_day, after.reveals_per_day, settings.reveal.client_per_day);
}

std::vector<std::pair<std::string, std::string>> details_of(const core::Client& client) {
  return {{"permissions", join_names(client.permissions.names())},
          {"purposes", join_names(client.purposes)},
          {"rate", std::to_string(client.rate_per_s)},
          {"reveals_per_hour", std::to_string(client.reveals_per_hour)},
          {"reveals_per_day", std::to_string(client.reveals_per_day)}};
}

std::optional<KeyRefusal> taken_by(const core::Client& client,
                                   const std::vector<core::Client>& all) {
  for (const core::Client& known : all) {
    if (known.id == client.id) {
      return KeyRefusal{
          Code::kAlreadyExists,
          "there is a client '" + client.id + "' already: revoked and frozen ones keep their id"};
    }
    if ((!client.san.empty() && known.san == client.san) ||
        (!client.spki_sha256.empty() && known.spki_sha256 == client.spki_sha256)) {
      return KeyRefusal{Code::kAlreadyExists,
                        "client '" + known.id + "' is registered for this certificate already"};
    }
  }
  return std::nullopt;
}

}  // namespace

wire::AdminAnswer AdminService::client_add(const Call& call) {
  core::Client client;
  client.id = call.argument("id");
  client.san = call.argument("san");
  client.spki_sha256 = call.argument("spki");
  if (call.argument("enrolled") == "true") client.san = enrolled_name(client.id);
  client.rate_per_s = static_cast<std::uint32_t>(call.number("rate", 0));
  client.reveals_per_hour = static_cast<std::uint32_t>(call.number("reveals_per_hour", 0));
  client.reveals_per_day = static_cast<std::uint32_t>(call.number("reveals_per_day", 0));
  client.created_ms = vault_.clock().now_ms();
  if (!core::valid_client_id(client.id)) {
    return refusal(Code::kInvalidArgument,
                   "a client id is 1 to 63 of a-z, 0-9, '.', '_' and '-', beginning with a letter "
                   "or digit");
  }
  const std::string wrong = read_rights(call.request.arguments, client);
  if (!wrong.empty()) return refusal(Code::kInvalidArgument, wrong);
  std::array<std::uint8_t, 32> pin{};
  if (client.san.empty() == client.spki_sha256.empty() ||
      (!client.spki_sha256.empty() && !core::from_hex(client.spki_sha256, pin))) {
    return refusal(Code::kInvalidArgument,
                   "name the client's certificate by exactly one of: its SPKI pin (SHA-256, 64 "
                   "hex digits), a subject alternative name, or that the vault enrolls it");
  }
  ClientList known;
  for (const auto& one : vault_.services().clients.all()) known.push_back(*one);
  // Before a second operator is asked for.
  if (const auto taken = taken_by(client, known)) return refusal(taken->code, taken->text);
  core::Event done = event(call);
  done.resource = client.id;
  done.details = details_of(client);
  const auto refused =
      put_client(call, done, client, [&](const ClientList& all, core::Transaction& tx) {
        auto taken = taken_by(client, all);
        return taken ? Judged(std::move(taken)) : demand_quorum(call, tx, done);
      });
  if (refused) return *refused;
  return success("client '" + client.id +
                 "' is registered, and may connect through each gate that names it");
}

wire::AdminAnswer AdminService::client_rights(const Call& call) {
  const std::string id = call.argument("id");
  core::Client asked;
  const std::string wrong = read_rights(call.request.arguments, asked);
  if (!wrong.empty()) return refusal(Code::kInvalidArgument, wrong);
  core::Event done = event(call);
  done.resource = core::valid_client_id(id) ? id : "";
  core::Client client;
  const auto judge = [&](const ClientList& all, core::Transaction& tx) -> Judged {
    const auto before = std::ranges::find(all, id, &core::Client::id);
    if (before == all.end()) {
      return KeyRefusal{Code::kNotFound, "no such client: see `cardvault client list`"};
    }
    if (before->revoked) {
      return KeyRefusal{Code::kNotAllowed, "client '" + id + "' is revoked for good"};
    }
    client = *before;
    static_cast<void>(read_rights(call.request.arguments, client));  // as above
    client.rate_per_s = static_cast<std::uint32_t>(call.number("rate", client.rate_per_s));
    client.reveals_per_hour =
        static_cast<std::uint32_t>(call.number("reveals_per_hour", client.reveals_per_hour));
    client.reveals_per_day =
        static_cast<std::uint32_t>(call.number("reveals_per_day", client.reveals_per_day));
    done.details = details_of(client);
    const bool wider = widens(*before, client, *vault_.services().settings.load());
    return wider ? demand_quorum(call, tx, done) : std::nullopt;
  };
  if (const auto refused = put_client(call, done, client, judge)) return *refused;
  return success("client '" + client.id +
                 "' has these rights from now on: " + join_names(client.permissions.names()));
}

std::optional<wire::AdminAnswer> AdminService::put_client(const Call& call, core::Event& done,
                                                          core::Client& client,
                                                          const ClientJudge& judge) {
  std::optional<KeyRefusal> refused;
  const auto decide = [&](core::Transaction& tx, core::EventSink& events) -> base::Result<void> {
    const auto all = tx.clients();
    if (!all) return std::unexpected(all.error());
    auto judged = judge(*all, tx);
    if (!judged) return std::unexpected(judged.error());
    refused = std::move(*judged);
    if (refused) done.outcome = base::code_name(refused->code);
    events.add(done);
    return refused ? base::Result<void>() : tx.put_client(client);
  };
  const auto after = [&] {
    if (!refused) vault_.services().clients.put(client);
  };
  if (auto ok = commit(call, decide, after); !ok) return failed(ok.error());
  if (refused) return refusal(refused->code, refused->text);
  return std::nullopt;
}

}  // namespace cardvault::daemon
