#include "provisioning/custody/wrapped_keys.h"

#include "vault/custody/digest.h"
#include "vault/custody/lines.h"

namespace cardvault::custody {
namespace {
constexpr std::string_view kHead = "cardvault wrapped-keys v1";
}

std::string encode(const WrappedKeys& keys) {
  std::string out = std::string(kHead) + "\n" + line("vault", keys.vault) +
                    line("split", std::to_string(keys.split));
  for (const hsm::WrappedKey& one : keys.keys) {
    out += line("key", format_fields({{"label", one.label},
                                      {"kind", one.kind},
                                      {"kcv", one.kcv},
                                      {"kcv_kind", one.kcv_kind},
                                      {"bytes", hex(one.bytes)}}));
  }
  return out;
}

WrappedKeys parse_wrapped_keys(const std::string& what, std::string_view text) {
  LineReader reader(what, text, kHead);
  WrappedKeys out;
  out.vault = reader.take("vault");
  const auto split = parse_number(reader.take("split"), 255);
  if (!split) reader.refuse("expected a small number");
  out.split = *split;
  while (reader.next_is("key")) {
    const auto fields = parse_fields(reader.take("key"));
    const auto bytes = fields ? from_hex(field(*fields, "bytes")) : std::nullopt;
    if (!bytes) reader.refuse("expected label=… kind=… kcv=… kcv_kind=… bytes=…");
    out.keys.push_back({field(*fields, "label"), field(*fields, "kind"), field(*fields, "kcv"),
                        field(*fields, "kcv_kind"), *bytes});
  }
  reader.end();
  return out;
}

}  // namespace cardvault::custody
