#include "hsm/token_group.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "hsm/module.h"
#include "hsm/redundancy.h"

namespace cardvault::hsm {
namespace {

using base::Code;
using std::chrono::steady_clock;

constexpr auto kPatience = std::chrono::seconds(1);

// How much an error says when no token did what was asked; 0: another one needn't be asked. Tokens
// that serve have every symmetric key that there is; a signing key may be on one that is away.
int weight(const base::Error& error, bool signing) {
  switch (error.code) {
    case Code::kHsmPinRefused:
      return 1;
    case Code::kHsmUnavailable:
      return signing ? 3 : 2;
    case Code::kKeyMissing:
      return signing ? 2 : 3;
    default:
      return 0;
  }
}

// Each file once, whatever name it is given: C_Finalize takes every user of it along.
class Modules {
 public:
  std::shared_ptr<Module> load(const TokenConfig& config) {
    struct stat file{};
    if (::stat(config.module.c_str(), &file) != 0) return std::make_shared<Module>(config);
    Loaded& one = loaded_[{file.st_dev, file.st_ino}];
    if (!one.module) {
      one = {std::make_shared<Module>(config), config};
      return one.module;
    }
    if (config.module.find("softhsm") != std::string::npos) {
      // It finds tokens at C_Initialize alone, which would end the other's sessions.
      throw base::StartupError(
          "two tokens of one SoftHSM, " + config.module +
          ": one that went away would not be seen again. Give each a copy of that file "
          "(hsm.standby.module) and a configuration of its own (hsm.standby.softhsm_conf)");
    }
    if (config.init_args != one.config.init_args ||
        config.softhsm_conf != one.config.softhsm_conf) {
      throw base::StartupError("two tokens of one module, " + config.module +
                               ", with other init_args or softhsm_conf: a module is initialised "
                               "once; give the second a copy of the file");
    }
    return one.module;
  }

 private:
  struct Loaded {
    std::shared_ptr<Module> module;
    TokenConfig config;
  };
  std::map<std::pair<dev_t, ino_t>, Loaded> loaded_;
};

HsmHooks hooks_of(const GroupHooks& hooks, std::size_t token, std::size_t tokens,
                  const std::shared_ptr<Redundancy>& redundancy) {
  HsmHooks out{.on_change = {}, .on_stuck = {}, .expected_kcvs = hooks.expected_kcvs};
  if (hooks.on_change) {
    out.on_change = [call = hooks.on_change, token, tokens, redundancy](const HsmEvent& event) {
      call(token, event, tokens == 1 ? event.state : redundancy->together(event.state));
    };
  }
  if (hooks.on_stuck) {
    out.on_stuck = [call = hooks.on_stuck, token](std::chrono::milliseconds age) {
      call(token, age);
    };
  }
  return out;
}

}  // namespace

TokenGroup::TokenGroup(std::size_t tokens) : redundancy_(std::make_shared<Redundancy>(tokens)) {}
TokenGroup::~TokenGroup() = default;

std::unique_ptr<TokenGroup> TokenGroup::open(const std::vector<TokenConfig>& tokens,
                                             const GroupHooks& hooks,
                                             const std::set<core::KeyRef>& left_out) {
  std::unique_ptr<TokenGroup> group(new TokenGroup(tokens.size()));
  group->expected_kcvs_ = hooks.expected_kcvs;
  group->first_label_ = parse_token_uri(tokens.front().token_uri).label;
  if (tokens.size() == 1) {
    group->tokens_.push_back(
        TokenCrypto::open(tokens.front(), hooks_of(hooks, 0, 1, group->redundancy_), left_out));
    return group;
  }
  Modules modules;
  // All of them before any thread of theirs reads the environment.
  std::vector<std::shared_ptr<Module>> loaded;
  loaded.reserve(tokens.size());
  for (const TokenConfig& one : tokens) loaded.push_back(modules.load(one));
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    group->tokens_.push_back(
        TokenCrypto::open_beside(tokens[i], hooks_of(hooks, i, tokens.size(), group->redundancy_),
                                 left_out, loaded[i], group->redundancy_));
  }
  group->await_logins();
  return group;
}

void TokenGroup::await_logins() const {
  const auto all_settled = [&](steady_clock::time_point deadline) {
    return std::ranges::all_of(tokens_, [&](const auto& one) { return one->settled(deadline); });
  };
  while (!all_settled(steady_clock::now() + kPatience) && state() != HsmState::kReady) {
  }
}

template <class Call>
auto TokenGroup::ask_each(Call& call, bool signing) {
  auto result = call(*tokens_.front());
  for (std::size_t i = 1; i < tokens_.size(); ++i) {
    if (result || weight(result.error(), signing) == 0) break;
    auto next = call(*tokens_[i]);
    const bool done = next || weight(next.error(), signing) == 0;
    if (done || weight(next.error(), signing) > weight(result.error(), signing)) {
      result = std::move(next);
    }
  }
  return result;
}

template <class Call>
auto TokenGroup::ask(Call call, bool signing) {
  auto result = ask_each(call, signing);
  if (tokens_.size() == 1 || result || result.error().code != Code::kHsmUnavailable) return result;
  // One that was asked while it was away may have come back before the next one went.
  if (state() == HsmState::kReady) result = ask_each(call, signing);
  return result;
}

core::Suite TokenGroup::suite(core::KeyRef key) const {
  for (const auto& one : tokens_) {
    if (one->state() == HsmState::kReady) return one->suite(key);
  }
  return tokens_.front()->suite(key);
}

base::Result<core::Mac> TokenGroup::mac(core::KeyRef key, std::span<const std::uint8_t> data) {
  return ask([&](TokenCrypto& token) { return token.mac(key, data); });
}

base::Result<core::Sealed> TokenGroup::encrypt(core::KeyRef key,
                                               std::span<const std::uint8_t> plaintext,
                                               std::span<const std::uint8_t> aad) {
  return ask([&](TokenCrypto& token) { return token.encrypt(key, plaintext, aad); });
}

base::Result<base::SecretBuffer> TokenGroup::decrypt(core::KeyRef key, const core::Sealed& sealed,
                                                     std::span<const std::uint8_t> aad) {
  return ask([&](TokenCrypto& token) { return token.decrypt(key, sealed, aad); });
}

base::Result<void> TokenGroup::random(std::span<std::uint8_t> out) {
  return ask([&](TokenCrypto& token) { return token.random(out); });
}

base::Result<std::vector<std::uint8_t>> TokenGroup::sign(core::KeyRef key,
                                                         std::span<const std::uint8_t> data) {
  return ask([&](TokenCrypto& token) { return token.sign(key, data); }, true);
}

base::Result<core::SigningPublicKey> TokenGroup::public_key(core::KeyRef key) const {
  auto found = best().public_key(key);
  for (const auto& one : tokens_) {
    if (found) break;
    found = one->public_key(key);
  }
  return found;
}

HsmState TokenGroup::state() const noexcept {
  bool refused = true;
  for (const auto& one : tokens_) {
    const HsmState state = one->state();
    if (state == HsmState::kReady) return state;
    refused = refused && state == HsmState::kPinRefused;
  }
  return refused ? HsmState::kPinRefused : HsmState::kUnavailable;
}

const TokenCrypto& TokenGroup::best() const {
  for (const auto& one : tokens_) {
    if (one->state() == HsmState::kReady) return *one;
  }
  for (const auto& one : tokens_) {
    if (!one->keys().empty()) return *one;
  }
  return *tokens_.front();
}

std::string TokenGroup::label() const {
  const std::string label = tokens_.front()->description().label;
  return label.empty() ? first_label_ : label;
}

base::Result<void> TokenGroup::adopt() {
  if (tokens_.size() == 1) return tokens_.front()->adopt();
  // Before the first one: what that adds is what the others are compared with.
  if (expected_kcvs_) redundancy_->keep_expected(expected_kcvs_());
  base::Result<void> failed;
  for (const auto& one : tokens_) {
    const bool worked = one->state() == HsmState::kReady;
    auto adopted = one->adopt();
    if (!adopted && worked && failed) failed = std::move(adopted);
  }
  if (failed && state() != HsmState::kReady) return std::unexpected(cause());
  return failed;
}

void TokenGroup::leave_out(const std::set<core::KeyRef>& keys) {
  for (const auto& one : tokens_) one->leave_out(keys);
}

}  // namespace cardvault::hsm
