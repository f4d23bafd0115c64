// Clients of the vault's own CA.
#pragma once

#include <cstdint>
#include <string>

#include "provisioning/context.h"

namespace cardvault::provisioning {

struct EnrollOptions {
  std::string id;
  std::string request;     // a file, PKCS#10
  std::string out;         // a new file; "": stdout
  std::uint32_t days = 0;  // 0: the vault's default
};
// `client enroll`: has the vault sign a request and writes the certificate. The output file must
// not exist, and nothing is asked of the vault when it does. When it can't be written, the
// certificate goes to stdout: it was issued.
ExitCode enroll_client(const Context& context, const EnrollOptions& options);

// `client ca`: the CA's certificates as PEM, each under a line that names its key and end; with
// --format json as rows.
ExitCode print_client_ca(const Context& context);

}  // namespace cardvault::provisioning
