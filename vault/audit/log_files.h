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
  // A file that no reader looks at yet, or what is left of an earlier try at it: may be seen in
  // part until sync(), is durable after it.
  [[nodiscard]] virtual base::Result<void> put(const std::string& path, std::string_view bytes) = 0;
  // Makes everything put so far durable. After an error each of the files may be there whole, in
  // part or not at all, and has to be put again.
  [[nodiscard]] virtual base::Result<void> sync() = 0;
  // A file that readers look at, or a new one, never seen in part; durable when this returns. After
  // an error it is the old or the new one.
  [[nodiscard]] virtual base::Result<void> replace(const std::string& path,
                                                   std::string_view bytes) = 0;
  // A folder with the files in it; none is fine.
  [[nodiscard]] virtual base::Result<void> remove_folder(const std::string& path) = 0;
};

}  // namespace cardvault::audit
