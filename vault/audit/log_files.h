// The folder of a published log, as its writer sees it: a port, so that tests can make it fail.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "vault/base/result.h"

namespace cardvault::audit {

// Paths are relative, parts separated by slashes; folders are made as needed. Belongs to one
// thread. Errors: kStorageFull, kStoreFailed, with errno as the number.
class LogFiles {
 public:
  virtual ~LogFiles() = default;
  // nullopt: there is no such file.
  [[nodiscard]] virtual base::Result<std::optional<std::string>> read(const std::string& path) = 0;
  // The whole file, new or in place of another; seen, and durable, after sync(). Never seen in
  // part.
  [[nodiscard]] virtual base::Result<void> put(const std::string& path, std::string_view bytes) = 0;
  // Makes everything put so far durable. After an error what was put may be there or not, each file
  // as a whole; nothing stays in line for a later sync().
  [[nodiscard]] virtual base::Result<void> sync() = 0;
  // A folder with the files in it; none is fine.
  [[nodiscard]] virtual base::Result<void> remove_folder(const std::string& path) = 0;
};

}  // namespace cardvault::audit
