#include "provisioning/ceremony_token_copy.h"

#include <fcntl.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "provisioning/exit_code.h"
#include "provisioning/key_folder_files.h"
#include "provisioning/private_file.h"

namespace cardvault::provisioning {

namespace fs = std::filesystem;

TokenCopy::TokenCopy(const std::string& stage, bool empty)
    : token_(stage + "/token"), copy_(stage + "/token.copy") {
  wipe_folder(copy_);  // of a step that was broken off
  if (!empty && fs::exists(token_)) {
    copy_folder(token_, copy_);
  } else {
    create_folder(copy_, 0700, {});
  }
}

TokenCopy::~TokenCopy() {
  try {
    wipe_folder(copy_);
  } catch (const std::exception&) {  // the next step wipes it
  }
}

void TokenCopy::keep() const {
  sync_folder(copy_);
  const unsigned how = fs::exists(token_) ? RENAME_EXCHANGE : RENAME_NOREPLACE;
  if (::renameat2(AT_FDCWD, copy_.c_str(), AT_FDCWD, token_.c_str(), how) != 0) {
    throw ToolError(ExitCode::kLocal,
                    token_ + ": its new state can't be put in place: " + std::strerror(errno));
  }
  sync_directory(fs::path(token_).parent_path());
}

}  // namespace cardvault::provisioning
