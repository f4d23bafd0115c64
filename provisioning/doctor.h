// `cardvault doctor`: everything a vault needs, checked and explained.
#pragma once

#include "provisioning/context.h"
#include "provisioning/finding.h"

namespace cardvault::provisioning {

// Local checks, then the vault's own where one answers. Renders severity, what and do, the worst
// first. kRefused when anything is an error.
ExitCode doctor(const Context& context);

// The worst first, otherwise as found; "severity", "what", "do".
[[nodiscard]] wire::AdminAnswer findings_table(Findings findings);

// The vault's answer to the verb "doctor": the same three columns. Unknown severities are warnings.
[[nodiscard]] Findings read_findings(const wire::AdminAnswer& answer);

}  // namespace cardvault::provisioning
