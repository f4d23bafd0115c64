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

std::string encode_with_digest(const WrappedKeys& keys) {
  const std::string text = encode(keys);
  return text + line("digest", hex(sha256(text)));
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
  if (reader.next_is("digest")) {
    const std::string digest = hex(sha256(text.substr(0, reader.position())));
    if (reader.take("digest") != digest) {
      reader.refuse("the file was changed, its digest is another: put it back from its copy");
    }
  }
  reader.end();
  return out;
}

}  // namespace cardvault::custody
