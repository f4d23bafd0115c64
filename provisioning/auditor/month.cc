#include "provisioning/auditor/month.h"

#include <filesystem>

#include "provisioning/auditor/published_log.h"
#include "vault/audit/segments.h"

namespace cardvault::auditor {

int month_files(const MonthOptions& options, const Terminal& terminal) {
  const PublishedLog log(options.folder);
  const auto text = log.files()(audit::segment_folder(options.month) + "/manifest");
  const auto manifest = audit::parse_manifest(text ? text->value_or("") : std::string());
  if (!manifest || manifest->month != options.month) {
    throw base::StartupError(
        options.folder + " has no closed month " + printable(options.month) +
        ": a month is closed with the first event of the next one; see its segment/ folder");
  }
  audit::for_each_file(*manifest, [&](const std::string& path) {
    std::error_code ignored;
    if (std::filesystem::exists(std::filesystem::path(options.folder) / path, ignored)) {
      terminal.out << path << '\n';
    }
  });
  return kVerified;
}

}  // namespace cardvault::auditor
