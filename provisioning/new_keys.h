// A new vault's token, keys and databases: what init fills its folder with.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hsm/key_maker.h"
#include "provisioning/context.h"
#include "provisioning/init_files.h"
#include "vault/core/event.h"

namespace cardvault::provisioning {

struct NewKeys {
  std::string token_uri;                // with the pin-source of the new vault's place
  std::vector<hsm::KeyReport> reports;  // as read back from the token
  std::string audit_vkey;               // C2SP signed-note verifier key of audit-sign/1
};

// Makes token, PINs and keys with everything in `stage`: stage/token (SoftHSM), stage/pin,
// stage/so-pin. Throws ToolError or StartupError with what to do.
[[nodiscard]] NewKeys make_keys(const Context& context, const NewVault& vault,
                                const std::string& stage);

// Makes the databases in `data_dir`, an existing empty folder, and records the keys in them, each
// with an event that `operator_name` made it; `before` are events that come first, `values` named
// values.
void record_keys(const std::string& data_dir, const std::string& operator_name,
                 const std::vector<hsm::KeyReport>& reports,
                 const std::vector<core::Event>& before = {},
                 const std::vector<std::pair<std::string_view, std::string>>& values = {});

// A folder that the module keeps its token in, as its C_Initialize arguments say
// (NSS: configdir='sql:/path'); "" when they name none.
[[nodiscard]] std::string folder_of_init_args(const std::string& init_args);

// What the daemon is to say at C_Initialize: the same, with NSS's flag for a token that it may only
// read, where there is such a folder (without it NSS answers CKR_TOKEN_WRITE_PROTECTED).
[[nodiscard]] std::string read_only_init_args(const std::string& init_args);

}  // namespace cardvault::provisioning
