// Verbs about an HSM that stands by and gets the keys that it lacks from the custodians' backup.
#include <algorithm>
#include <thread>

#include "vault/daemon/admin.h"
#include "vault/daemon/admin_answers.h"
#include "vault/daemon/key_states.h"

namespace cardvault::daemon {

using base::Code;
using core::KeyRow;
using core::KeyState;

namespace {

constexpr auto kPatience = std::chrono::seconds(20);  // for a login of its own accord
constexpr auto kLookPause = std::chrono::milliseconds(50);

// The place in the list of the HSM that is asked for; nullopt when the tool read of another one, or
// it is the first.
std::optional<std::size_t> find_standby(Vault& vault, std::uint64_t number,
                                        const std::string& token) {
  if (number < 2 || number > vault.token().size()) return std::nullopt;
  const std::size_t at = number - 1;
  if (vault.token_name(at) != "HSM " + std::to_string(number) + " (" + token + ")") {
    return std::nullopt;
  }
  return at;
}

KeyRefusal unknown() {
  return {Code::kNotFound,
          "the vault works with another list of HSMs than its configuration names: [hsm] changes "
          "with a restart only"};
}

bool has_all_that_wrap(Vault& vault, std::size_t at) {
  const hsm::TokenCrypto& token = vault.token().token(at);
  if (token.state() != hsm::HsmState::kReady) return false;
  const auto present = token.keys();
  return std::ranges::all_of(*vault.key_rows(), [&](const KeyRow& row) {
    return row.state == KeyState::kDestroyed || core::is_signature(row.key.purpose) ||
           std::ranges::find(present, row.key) != present.end();
  });
}

std::string why_not(Vault& vault, std::size_t at) {
  const hsm::TokenCrypto& token = vault.token().token(at);
  const auto misfit = token.misfit();
  return std::string(token.cause().operation) + (misfit ? ": " + core::key_label(*misfit) : "");
}

}  // namespace

// The tool asks before it opens that HSM: whether it may, and which keys the vault has.
wire::AdminAnswer AdminService::key_clone(const Call& call) {
  const auto at = find_standby(vault_, call.number("hsm", 0), call.argument("token"));
  if (!at) return refusal(unknown().code, unknown().text);
  const std::string name = vault_.token_name(*at);
  const std::scoped_lock lock(keys_mutex_);
  const bool complete = has_all_that_wrap(vault_, *at);
  std::vector<KeyRow> keys;
  core::Event asked = event(call);
  asked.details = {{"token", name}};
  wire::AdminAnswer answer = change_keys(
      std::move(asked),
      complete ? name + " serves: it has every key that can be brought to it" : "",
      [&](core::Transaction& tx, const std::vector<KeyRow>& rows,
          core::Event& what) -> base::Result<std::optional<KeyRefusal>> {
        keys = rows;
        auto begun = tx.value(kCloneValue);
        if (!begun) return std::unexpected(begun.error());
        if (!complete) {
          // One that was begun and not finished is gone on with under the word it was begun with.
          if (*begun && base::as_text(**begun) == name) return std::nullopt;
          const auto allowed = demand_quorum(call, tx, what);
          if (!allowed || *allowed) return allowed;
        }
        auto put = tx.put_value(kCloneValue, base::as_bytes(complete ? std::string() : name));
        if (!put) return std::unexpected(put.error());
        return std::nullopt;
      });
  if (!answer.ok || complete) return answer;
  answer.columns = {"key", "kcv"};
  for (const KeyRow& row : keys) {
    if (row.state != KeyState::kDestroyed) {
      answer.rows.push_back({core::key_label(row.key), row.kcv});
    }
  }
  return answer;
}

// The tool says that it has them: believed when the HSM serves, which takes each check value.
wire::AdminAnswer AdminService::key_cloned(const Call& call) {
  const auto at = find_standby(vault_, call.number("hsm", 0), call.argument("token"));
  if (!at) return refusal(unknown().code, unknown().text);
  const auto end = std::chrono::steady_clock::now() + kPatience;
  bool complete = has_all_that_wrap(vault_, *at);
  while (!complete && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(kLookPause);
    complete = has_all_that_wrap(vault_, *at);
  }
  const std::string name = vault_.token_name(*at);
  const std::scoped_lock lock(keys_mutex_);
  core::Event done = event(call);
  done.details = {{"token", name}, {"keys", call.argument("keys")}};
  return change_keys(std::move(done), name + " serves",
                     [&](core::Transaction& tx, const std::vector<KeyRow>& /*rows*/,
                         core::Event& /*what*/) -> base::Result<std::optional<KeyRefusal>> {
                       if (!complete) {
                         return KeyRefusal{Code::kHsmUnavailable,
                                           name + " has the keys and does not serve (" +
                                               why_not(vault_, *at) +
                                               "): see `cardvault doctor`, and run this again"};
                       }
                       auto put = tx.put_value(kCloneValue, {});
                       if (!put) return std::unexpected(put.error());
                       return std::nullopt;
                     });
}

}  // namespace cardvault::daemon
