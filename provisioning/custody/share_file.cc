#include "provisioning/custody/share_file.h"

#include <algorithm>

#include "provisioning/custody/envelope.h"
#include "provisioning/custody/share_text.h"
#include "vault/custody/lines.h"

namespace cardvault::custody {
namespace {

constexpr std::string_view kHead = "cardvault share v1";

std::uint8_t take_number(LineReader& reader, std::string_view name) {
  const auto value = parse_number(reader.take(name), 255);
  if (!value) reader.refuse("expected a small number");
  return static_cast<std::uint8_t>(*value);
}

}  // namespace

std::string share_file_name(const ShareLabel& label) {
  return std::string(secret_name(label.secret)) + ".split" + std::to_string(label.generation) +
         ".share" + std::to_string(label.index) + "." + hex(label.vault) + ".cardvault-share";
}

base::Result<std::string> seal_share(const Share& share, const Custodian& custodian,
                                     const std::string& note) {
  const base::SecretText text = share_in_one_line(share);
  const auto sealed = seal_envelope(custodian.key, base::as_bytes(text.expose()));
  if (!sealed) return std::unexpected(sealed.error());
  const ShareLabel& label = share.label;
  return std::string(kHead) + "\n" + (note.empty() ? "" : line("note", note)) +
         line("vault", hex(label.vault)) + line("secret", secret_name(label.secret)) +
         line("generation", std::to_string(label.generation)) +
         line("index", std::to_string(label.index)) +
         line("threshold", std::to_string(label.threshold)) +
         line("parts", std::to_string(label.parts)) + line("custodian", custodian.name) +
         line("digest", hex(share_digest(share))) + line("sealed", *sealed);
}

ShareFile parse_share_file(const std::string& what, std::string_view text) {
  LineReader reader(what, text, kHead);
  ShareFile out;
  if (reader.next_is("note")) static_cast<void>(reader.take("note"));
  const auto vault = from_hex(reader.take("vault"));
  if (!vault || vault->size() != out.label.vault.size()) reader.refuse("no vault id");
  std::ranges::copy(*vault, out.label.vault.begin());
  const auto secret = parse_secret_name(reader.take("secret"));
  if (!secret) reader.refuse("no such secret");
  out.label.secret = *secret;
  out.label.generation = take_number(reader, "generation");
  out.label.index = take_number(reader, "index");
  out.label.threshold = take_number(reader, "threshold");
  out.label.parts = take_number(reader, "parts");
  out.custodian = reader.take("custodian");
  const auto digest = digest_from_hex(reader.take("digest"));
  if (!digest) reader.refuse("no digest");
  out.digest = *digest;
  out.sealed = reader.take("sealed");
  reader.end();
  return out;
}

base::Result<Share> open_share(const ShareFile& file, CustodianKey& key) {
  const auto text = key.open(file.sealed);
  if (!text) return std::unexpected(text.error());
  ShareReader reader;
  const auto refused = base::fail(base::Code::kVerificationFailed, "share file");
  if (!reader.add(base::as_text(*text)) || !reader.complete()) return refused;
  Share share = reader.take();
  if (share.label != file.label || share_digest(share) != file.digest) return refused;
  return share;
}

}  // namespace cardvault::custody
