#include "vault/core/index_fingerprints.h"

#include <algorithm>

#include "vault/base/secret.h"

namespace cardvault::core {
namespace {

base::Result<Fingerprint> fingerprint(Services& services, KeyRef key, std::string_view text) {
  auto mac = services.crypto.mac(key, base::as_bytes(text));
  if (!mac) return std::unexpected(mac.error());
  Fingerprint fp;
  std::copy_n(mac->begin(), fp.size(), fp.begin());
  return fp;
}

base::Result<IndexFingerprints> fingerprints(Services& services, KeyPurpose purpose,
                                             std::string_view text) {
  const KeyVersions versions = services.keys.usable(purpose);
  IndexFingerprints out;
  out.version = versions.active();
  auto fp = fingerprint(services, {purpose, out.version}, text);
  if (!fp) return std::unexpected(fp.error());
  out.active = *fp;
  for (const std::uint32_t version : versions.earlier()) {
    fp = fingerprint(services, {purpose, version}, text);
    if (!fp) return std::unexpected(fp.error());
    out.earlier.push_back({version, *fp});
  }
  return out;
}

// The first of the fingerprints that `look` finds something by.
template <class Look>
auto first_found(const IndexFingerprints& fps, const Look& look) -> decltype(look(fps.active)) {
  auto found = look(fps.active);
  for (const auto& earlier : fps.earlier) {
    if (!found || *found) break;
    found = look(earlier.fp);
  }
  return found;
}

}  // namespace

base::Result<IndexFingerprints> pan_fingerprints(Services& services, const Pan& pan) {
  return fingerprints(services, KeyPurpose::kPanIndex, pan.expose());
}

base::Result<Fingerprint> pan_fingerprint(Services& services, const Pan& pan,
                                          std::uint32_t version) {
  return fingerprint(services, {KeyPurpose::kPanIndex, version}, pan.expose());
}

base::Result<IndexFingerprints> name_fingerprints(Services& services, std::string_view identifier) {
  return fingerprints(services, KeyPurpose::kIdIndex, identifier);
}

base::Result<std::optional<CustomerRow>> customer_by_name(Reader& reader,
                                                          const IndexFingerprints& name) {
  return first_found(name, [&](const Fingerprint& fp) { return reader.customer(fp); });
}

base::Result<std::optional<TokenId>> card_of(Reader& reader, std::int64_t customer,
                                             const IndexFingerprints& pan) {
  return first_found(pan, [&](const Fingerprint& fp) { return reader.card_of(customer, fp); });
}

base::Result<bool> pan_refused(Reader& reader, std::int64_t customer, const IndexFingerprints& pan,
                               std::uint32_t since_day) {
  return first_found(
      pan, [&](const Fingerprint& fp) { return reader.pan_refused(customer, fp, since_day); });
}

}  // namespace cardvault::core
