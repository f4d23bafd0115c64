#include "hsm/token_uri.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "hsm/pkcs11.h"
#include "vault/base/fd.h"

namespace cardvault::hsm {
namespace {

using UriPtr = std::unique_ptr<P11KitUri, decltype(&p11_kit_uri_free)>;

// p11-kit leaves unnamed fields all zero and pads named ones with blanks.
template <std::size_t kSize>
std::string text_of(const CK_UTF8CHAR (&field)[kSize]) {
  if (field[0] == 0) return {};
  return {reinterpret_cast<const char*>(field), p11_kit_space_strlen(field, kSize)};
}

std::string path_of(const char* source) {
  std::string path = source;
  if (path.starts_with("|")) {
    throw base::StartupError(
        "hsm.token_uri: pin-source may not be a command; name a file, e.g. a systemd credential");
  }
  if (path.starts_with("file:")) path.erase(0, 5);
  if (path.starts_with("///")) path.erase(0, 2);
  if (!path.starts_with("/")) {
    throw base::StartupError("hsm.token_uri: pin-source must be an absolute path (file:/…)");
  }
  return path;
}

}  // namespace

TokenUri parse_token_uri(const std::string& text) {
  const UriPtr uri(p11_kit_uri_new(), &p11_kit_uri_free);
  const int parsed = p11_kit_uri_parse(text.c_str(), P11_KIT_URI_FOR_ANY, uri.get());
  if (parsed != P11_KIT_URI_OK) {
    throw base::StartupError(std::string("hsm.token_uri is no PKCS#11 URI (RFC 7512): ") +
                             p11_kit_uri_message(parsed));
  }
  if (p11_kit_uri_get_pin_value(uri.get()) != nullptr) {
    throw base::StartupError(
        "hsm.token_uri carries a pin-value: a PIN must not be in configuration. Put it in a file "
        "that only the service may read and name that with pin-source=file:/…; change the PIN, "
        "since it has been written down");
  }
  if (p11_kit_uri_any_unrecognized(uri.get()) != 0) {
    throw base::StartupError("hsm.token_uri has an attribute that is not in RFC 7512");
  }
  TokenUri out;
  const CK_TOKEN_INFO* token = p11_kit_uri_get_token_info(uri.get());
  out.label = text_of(token->label);
  out.manufacturer = text_of(token->manufacturerID);
  out.model = text_of(token->model);
  out.serial = text_of(token->serialNumber);
  if (p11_kit_uri_get_slot_id(uri.get()) != static_cast<CK_SLOT_ID>(-1)) {
    out.slot_id = p11_kit_uri_get_slot_id(uri.get());
  }
  if (out.label.empty() && out.serial.empty() && !out.slot_id) {
    throw base::StartupError(
        "hsm.token_uri names no token: give at least token=LABEL, serial=… or slot-id=…");
  }
  const char* source = p11_kit_uri_get_pin_source(uri.get());
  if (source != nullptr && *source != '\0') out.pin_source = path_of(source);
  return out;
}

std::string format_token_uri(const std::string& label) {
  const UriPtr uri(p11_kit_uri_new(), &p11_kit_uri_free);
  CK_TOKEN_INFO* token = p11_kit_uri_get_token_info(uri.get());
  std::memset(token->label, ' ', sizeof token->label);
  std::memcpy(token->label, label.data(), std::min(label.size(), sizeof token->label));
  char* text = nullptr;
  if (p11_kit_uri_format(uri.get(), P11_KIT_URI_FOR_TOKEN, &text) != P11_KIT_URI_OK) return {};
  std::string out = text;
  std::free(text);  // NOLINT: p11-kit gives malloc'ed text
  return out;
}

base::SecretText read_pin(const TokenUri& uri) {
  if (uri.pin_source.empty()) {
    throw base::StartupError(
        "hsm.token_uri has no pin-source: name the file with the PIN, ?pin-source=file:/…");
  }
  const base::Fd file(::open(uri.pin_source.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  struct stat status{};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) {
    throw base::StartupError("cannot read the PIN from " + uri.pin_source + ": " +
                             std::strerror(errno));
  }
  if (S_ISREG(status.st_mode) && (status.st_mode & S_IROTH) != 0) {
    throw base::StartupError("everybody may read the PIN in " + uri.pin_source +
                             ": chmod 0400 it and change the PIN");
  }
  base::SecretBuffer pin(257);
  std::size_t size = 0;
  ssize_t got = 0;
  while (size < pin.size() &&
         (got = ::read(file.get(), pin.data() + size, pin.size() - size)) > 0) {
    size += static_cast<std::size_t>(got);
  }
  if (got < 0 || size == pin.size()) {
    throw base::StartupError("cannot read a PIN of at most 256 bytes from " + uri.pin_source);
  }
  while (size > 0 && (pin[size - 1] == '\n' || pin[size - 1] == '\r')) --size;
  if (size == 0) throw base::StartupError("the PIN in " + uri.pin_source + " is empty");
  return base::SecretText(base::as_text({pin.data(), size}));
}

}  // namespace cardvault::hsm
