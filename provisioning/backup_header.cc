// The header of backup_file.h.
#include <algorithm>
#include <charconv>

#include "provisioning/backup_file.h"
#include "provisioning/backup_stream.h"
#include "vault/custody/lines.h"

namespace cardvault::provisioning {
namespace {

constexpr std::string_view kHead = "cardvault backup v1";
constexpr std::uint64_t kMaxPart = std::uint64_t{1} << 44;  // bytes; the sum can't overflow

std::string part_line(std::string_view name, const BackupPart& part) {
  return custody::line(
      name, part.name + " " + std::to_string(part.size) + " " + custody::hex(part.digest));
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole || std::to_string(value) != text) return std::nullopt;
  return value;
}

std::vector<BackupPart> parse_parts(custody::LineReader& reader, std::string_view name) {
  std::vector<BackupPart> out;
  while (reader.next_is(name)) {
    std::string_view value = reader.take(name);
    BackupPart part;
    part.name = value.substr(0, value.find(' '));
    value.remove_prefix(std::min(value.size(), part.name.size() + 1));
    const std::string_view size = value.substr(0, value.find(' '));
    value.remove_prefix(std::min(value.size(), size.size() + 1));
    const auto bytes = number(size);
    const auto digest = custody::digest_from_hex(value);
    const auto same = [&](const BackupPart& one) { return one.name == part.name; };
    if (!valid_part_name(part.name) || !bytes || *bytes > kMaxPart || !digest ||
        std::ranges::any_of(out, same)) {
      reader.refuse("expected a name, a size and a digest");
    }
    part.size = *bytes;
    part.digest = *digest;
    out.push_back(std::move(part));
  }
  return out;
}

}  // namespace

bool valid_part_name(std::string_view name) noexcept {
  const auto first = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  const auto plain = [&](char c) { return first(c) || c == '.' || c == '-'; };
  const auto good = [&](std::string_view part) {
    return !part.empty() && part.size() <= 100 && first(part[0]) &&
           std::ranges::all_of(part, plain);
  };
  const auto slash = name.find('/');
  if (slash == std::string_view::npos) return good(name);
  return good(name.substr(0, slash)) && good(name.substr(slash + 1));
}

std::uint64_t BackupHeader::plain_size() const noexcept {
  std::uint64_t size = 0;
  for (const BackupPart& part : members) size += part.size;
  return size;
}

std::string encode(const BackupHeader& header) {
  std::string out = std::string(kHead) + "\n" + custody::line("vault", header.vault) +
                    custody::line("made", header.made) +
                    custody::line("recipient", header.recipient) +
                    custody::line("split", std::to_string(header.split)) +
                    custody::line("file-key", header.file_key);
  for (const BackupPart& part : header.clear) out += part_line("clear", part);
  for (const BackupPart& part : header.members) out += part_line("member", part);
  return out + custody::line("sealed", std::to_string(sealed_size(header.plain_size())));
}

BackupHeader parse_backup_header(const std::string& what, std::string_view text) {
  custody::LineReader reader(what, text, kHead);
  BackupHeader out;
  out.vault = reader.take("vault");
  out.made = reader.take("made");
  out.recipient = reader.take("recipient");
  const auto split = custody::parse_number(reader.take("split"), 255);
  if (!split) reader.refuse("expected a small number");
  out.split = *split;
  out.file_key = reader.take("file-key");
  out.clear = parse_parts(reader, "clear");
  out.members = parse_parts(reader, "member");
  const auto sealed = number(reader.take("sealed"));
  if (!sealed || *sealed != sealed_size(out.plain_size())) {
    reader.refuse("expected the size of the members and their chunks' tags");
  }
  reader.end();
  return out;
}

}  // namespace cardvault::provisioning
