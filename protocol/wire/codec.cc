#include "protocol/wire/codec.h"

#include "protocol/wire/bytes.h"
#include "protocol/wire/open_frame.h"
#include "vault/base/check.h"

namespace cardvault::wire {

void encode(base::SecretBuffer& out, std::uint64_t id, const Hello& hello) {
  OpenFrame frame(out, FrameType::kHello, id);
  auto payload = frame.payload();
  payload.number(hello.version);
  payload.text(hello.name);
  CARDVAULT_CHECK(frame.close());
}

base::Result<Hello> decode_hello(std::span<const std::uint8_t> payload) {
  Reader in(payload);
  Hello hello;
  hello.version = in.number<std::uint32_t>();
  hello.name = in.text();
  if (!in.complete()) return base::fail(base::Code::kInvalidArgument, "decode hello");
  return hello;
}

bool encode(base::SecretBuffer& out, std::uint64_t id, const AdminRequest& request) {
  OpenFrame frame(out, FrameType::kAdminRequest, id);
  auto payload = frame.payload();
  payload.text(request.verb);
  payload.text(request.operator_name);
  payload.count(request.arguments.size());
  for (const auto& [key, value] : request.arguments) {
    payload.text(key);
    payload.text(value);
  }
  payload.long_text(base::as_text(request.blob));
  return frame.close();
}

base::Result<AdminRequest> decode_admin_request(std::span<const std::uint8_t> payload) {
  Reader in(payload);
  AdminRequest request;
  request.verb = in.text();
  request.operator_name = in.text();
  request.arguments.resize(in.count(4));
  for (auto& [key, value] : request.arguments) {
    key = in.text();
    value = in.text();
  }
  const auto blob = base::as_bytes(in.long_text());
  request.blob.assign(blob.begin(), blob.end());
  if (!in.complete()) return base::fail(base::Code::kInvalidArgument, "decode admin request");
  return request;
}

bool encode(base::SecretBuffer& out, std::uint64_t id, const AdminAnswer& answer) {
  OpenFrame frame(out, FrameType::kAdminAnswer, id);
  auto payload = frame.payload();
  payload.flag(answer.ok);
  payload.u8(static_cast<std::uint8_t>(answer.code));
  payload.long_text(answer.message);
  payload.count(answer.columns.size());
  for (const std::string& column : answer.columns) payload.text(column);
  payload.count(answer.rows.size());
  for (const auto& row : answer.rows) {
    payload.count(row.size());
    for (const std::string& cell : row) payload.long_text(cell);
  }
  payload.flag(answer.more);
  return frame.close();
}

base::Result<AdminAnswer> decode_admin_answer(std::span<const std::uint8_t> payload) {
  Reader in(payload);
  AdminAnswer answer;
  answer.ok = in.flag();
  answer.code = static_cast<base::Code>(in.u8_below(static_cast<unsigned>(base::kLastCode) + 1));
  answer.message = in.long_text();
  answer.columns.resize(in.count(2));
  for (std::string& column : answer.columns) column = in.text();
  answer.rows.resize(in.count(2));
  for (auto& row : answer.rows) {
    row.resize(in.count(4));
    for (std::string& cell : row) cell = in.long_text();
  }
  answer.more = in.flag();
  if (!in.complete()) return base::fail(base::Code::kInvalidArgument, "decode admin answer");
  return answer;
}

}  // namespace cardvault::wire
