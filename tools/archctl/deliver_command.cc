// archctl deliver: one message from standard input into the journal, for pipe(8), .forward and scripts. Opens no catalog and
// no index and needs no daemon: what it wrote, the engine picks up when it runs.
#include <sysexits.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <exception>

#include "engine/base/limits.h"
#include "engine/journal/archive_file.h"
#include "engine/journal/group_commit.h"
#include "tools/archctl/command.h"

namespace arch::ctl {
namespace {

constexpr uint64_t kRoomForEnvelope = 64u << 10;  // the file of one record: what the message does not take

/// Everything up to the end of standard input. Errors: kTooLarge, kIo.
Result<std::string> read_message(uint64_t limit) {
  std::string message;
  std::array<char, 64u << 10> buffer;
  for (;;) {
    ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "cannot read the message");
    if (got == 0) return message;
    if (message.size() + static_cast<size_t>(got) > limit)
      return fail(Code::kTooLarge, "the message is over the archive's limit of " + std::to_string(limit) + " bytes",
                  "raise limits.message_bytes (at most 256M)");
    message.append(buffer.data(), static_cast<size_t>(got));
  }
}

Result<RecordRef> deliver(const Invocation& invocation, Digest* digest) {
  ARCH_TRY(ArchiveFile archive, read_archive_file(Fs::real(), invocation.archive));
  ARCH_TRY(std::string message, read_message(invocation.config.message_bytes));

  Delivery delivery;
  delivery.channel = Channel::kPipe;
  delivery.digest = *digest = Sha256::of(as_bytes(message));
  delivery.captured = Clock::system().now();
  if (invocation.has("from")) {
    delivery.mail_from = without_brackets(invocation.value("from"));
    delivery.has_mail_from = true;
  }
  for (const std::string& address : invocation.arguments)
    delivery.rcpt.push_back({without_brackets(address), {}, {}});
  delivery.queue_id = invocation.value("queue-id");
  delivery.mta_host = invocation.value("mta");
  delivery.auth_user = invocation.value("sasl-user");
  delivery.client_addr = invocation.value("client-address");
  delivery.client_name = invocation.value("client-name");

  GroupCommit::Options options;
  options.roll_bytes = message.size() + kRoomForEnvelope;
  options.reserve_free_bytes = invocation.config.reserve_bytes;
  ARCH_TRY(auto commit, GroupCommit::create(Fs::real(), Clock::system(), journal_directory(invocation.archive),
                                            archive.id, options));
  ARCH_TRY(RecordRef place, commit->append(std::move(delivery), std::move(message)));
  // The record is durable: a file that cannot be closed is closed by the engine, which finds its lock free.
  if (auto closed = commit->stop(); !closed)
    std::fprintf(stderr, "archctl: delivered, but: %s\n", describe(closed.error()).c_str());
  return place;
}

}  // namespace

// pipe(8) bounces mail for any status it does not know as temporary, so whatever went wrong here is 75: the sender keeps the
// mail and tries again. Only a command line or a configuration that can never work says so (64, 78).
int run_deliver(const Invocation& invocation) {
  for (const std::string& address : invocation.arguments)
    if (address.empty() || address.size() > 4096)
      return usage_error("\"" + address + "\" is no recipient", "deliver");
  if (::isatty(STDIN_FILENO) != 0) return usage_error("the message is read from standard input", "deliver");
  try {
    Digest digest;
    auto place = deliver(invocation, &digest);
    if (!place) {
      complain(place.error());
      return EX_TEMPFAIL;
    }
    if (invocation.has("verbose"))
      std::printf("archived arch:%s in journal file %llu\n", digest.hex().substr(0, 16).c_str(),
                  static_cast<unsigned long long>(place->file));
    return EX_OK;
  } catch (const std::exception& error) {  // memory
    std::fprintf(stderr, "archctl: not delivered: %s\n", error.what());
    return EX_TEMPFAIL;
  }
}

}  // namespace arch::ctl
