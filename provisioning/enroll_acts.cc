#include "provisioning/enroll_acts.h"

#include <filesystem>

#include "provisioning/key_vault_line.h"
#include "provisioning/private_file.h"
#include "provisioning/read_file.h"

namespace cardvault::provisioning {
namespace {

namespace fs = std::filesystem;

void write_certificate(const Context& context, const std::string& path, const std::string& pem) {
  if (path.empty()) {
    context.out << pem;
    return;
  }
  try {
    create_file(path, pem, 0644, {});
  } catch (const ToolError& problem) {
    context.out << pem;
    throw ToolError(problem.code(),
                    std::string(problem.what()) + "\nThe certificate was issued; it stands above");
  }
}

}  // namespace

ExitCode enroll_client(const Context& context, const EnrollOptions& options) {
  if (!options.out.empty() && fs::exists(fs::symlink_status(options.out))) {
    throw ToolError(ExitCode::kLocal, options.out + " is there already, and is never overwritten");
  }
  const std::string request = read_small_file(options.request, "certificate request");
  Arguments arguments{{"id", options.id}};
  if (options.days != 0) arguments.emplace_back("days", std::to_string(options.days));
  auto answer = ask_apart(context, "client.enroll", std::move(arguments),
                          base::SecretBuffer(request.begin(), request.end()));
  if (!answer.ok || answer.rows.size() != 1 || answer.rows[0].size() != 2) {
    return conclude(context, answer);
  }
  write_certificate(context, options.out, answer.rows[0][1]);
  context.err << "cardvault: " << printable(answer.message) << ", serial " << answer.rows[0][0]
              << '\n';
  return ExitCode::kDone;
}

ExitCode print_client_ca(const Context& context) {
  const auto answer = ask(context, *context.open(context), "client.ca", {});
  if (!answer.ok || context.format == Format::kJson) return conclude(context, answer);
  for (const auto& row : answer.rows) {
    if (row.size() != 3) continue;
    context.out << "# " << row[0] << ", until " << row[1] << '\n' << row[2];
  }
  return ExitCode::kDone;
}

}  // namespace cardvault::provisioning
