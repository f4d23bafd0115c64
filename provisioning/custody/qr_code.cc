#include "provisioning/custody/qr_code.h"

#include <qrencode.h>

#include <memory>
#include <string>

namespace cardvault::custody {
namespace {

constexpr int kQuiet = 4;  // modules on each side (ISO/IEC 18004 9.1)

struct FreeCode {
  void operator()(QRcode* code) const {
    base::wipe(code->data,
               static_cast<std::size_t>(code->width) * static_cast<std::size_t>(code->width));
    QRcode_free(code);
  }
};

bool black(const QRcode& code, int x, int y) {
  if (x < 0 || y < 0 || x >= code.width || y >= code.width) return false;
  return (code.data[y * code.width + x] & 1U) != 0;
}

void append(base::SecretBuffer& out, std::string_view text) {
  out.insert(out.end(), text.begin(), text.end());
}

}  // namespace

base::SecretText qr_code(std::string_view text) {
  base::SecretBuffer terminated(text.begin(), text.end());
  terminated.push_back(0);
  const std::unique_ptr<QRcode, FreeCode> code(
      QRcode_encodeString(reinterpret_cast<const char*>(terminated.data()), 0, QR_ECLEVEL_M,
                          QR_MODE_8, /*casesensitive=*/1));
  if (!code) return {};
  base::SecretBuffer out;
  out.reserve(16384);
  for (int y = -kQuiet; y < code->width + kQuiet; y += 2) {
    append(out, "\033[30;107m");  // black on bright white
    for (int x = -kQuiet; x < code->width + kQuiet; ++x) {
      const bool upper = black(*code, x, y);
      const bool lower = black(*code, x, y + 1);
      append(out, upper ? (lower ? "█" : "▀") : (lower ? "▄" : " "));
    }
    append(out, "\033[0m\n");
  }
  return base::SecretText(base::as_text(out));
}

}  // namespace cardvault::custody
