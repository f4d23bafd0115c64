// Text as HTML (HTML Living Standard 13.1.2).
#pragma once

#include <string>
#include <string_view>

namespace cardvault::auditor {

// What comes from a log: no markup, no control characters, and nothing that turns the direction of
// writing or hides itself. Letters of Latin, Cyrillic and the like stay (UTF-8 of two bytes);
// what is beyond them is shown as U+FFFD.
[[nodiscard]] std::string escaped(std::string_view text);

}  // namespace cardvault::auditor
