// Claim   Over real sockets: 250 means that the record is in the journal; every storage fault has its reply and passes by
//         itself; a peer that dies leaves a trace only after the end of its message; every bound and every wait holds;
//         a drain finishes what is under way, refuses the rest and closes the journal file.
// Method  A Server on a loopback port with a real journal in a fresh directory. The file system behind it is the real one
//         with a lever: fail syncs, hold syncs, report a full disk. What was stored is read back by JournalReader.
// Teeth   Every test ends by comparing the journal's records with the messages it expects there, no more and no fewer.
#include "ingest/server/server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <functional>
#include <mutex>
#include <set>
#include <thread>

#include "engine/journal/archive_file.h"
#include "engine/journal/journal_reader.h"
#include "ingest/milter/session.h"
#include "ingest/smtp/session.h"

namespace arch::ingest {
namespace {

using std::string;
using namespace std::chrono_literals;

// ---- The disk with a lever ----

struct Lever {
  std::atomic<int> failing_syncs{0};
  std::atomic<uint64_t> free_bytes{UINT64_MAX / 4};
  std::mutex mutex;
  std::condition_variable changed;
  bool held = false;

  void hold() {
    std::lock_guard lock(mutex);
    held = true;
  }
  void release() {
    std::lock_guard lock(mutex);
    held = false;
    changed.notify_all();
  }
  Result<void> before_sync() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return !held; });
    if (failing_syncs > 0) {
      --failing_syncs;
      return fail_errno(EIO, "cannot sync: test");
    }
    return {};
  }
};

class LeverFile : public File {
 public:
  LeverFile(std::unique_ptr<File> file, Lever& lever) : file_(std::move(file)), lever_(lever) {}
  Result<size_t> pread(uint64_t offset, void* buffer, size_t size) const override {
    return file_->pread(offset, buffer, size);
  }
  Result<void> pwritev(uint64_t offset, std::vector<iovec> parts) override {
    return file_->pwritev(offset, std::move(parts));
  }
  Result<void> fdatasync() override {
    ARCH_TRY_VOID(lever_.before_sync());
    return file_->fdatasync();
  }
  Result<void> allocate(uint64_t size) override { return file_->allocate(size); }
  Result<void> truncate(uint64_t size) override { return file_->truncate(size); }
  Result<uint64_t> size() const override { return file_->size(); }
  Result<bool> try_lock(bool shared) override { return file_->try_lock(shared); }
  Result<void> set_mode(uint32_t mode) override { return file_->set_mode(mode); }
  const string& path() const override { return file_->path(); }

 private:
  std::unique_ptr<File> file_;
  Lever& lever_;
};

class LeverFs : public Fs {
 public:
  Lever lever;

  Result<std::unique_ptr<File>> open_read(const string& path) override { return wrap(Fs::real().open_read(path)); }
  Result<std::unique_ptr<File>> open_read_write(const string& path) override {
    return wrap(Fs::real().open_read_write(path));
  }
  Result<std::unique_ptr<File>> create(const string& path) override { return wrap(Fs::real().create(path)); }
  Result<void> sync_directory(const string& path) override { return Fs::real().sync_directory(path); }
  Result<void> rename_new(const string& from, const string& to) override { return Fs::real().rename_new(from, to); }
  Result<void> remove(const string& path) override { return Fs::real().remove(path); }
  Result<void> make_directory(const string& path) override { return Fs::real().make_directory(path); }
  Result<std::vector<string>> list(const string& directory) override { return Fs::real().list(directory); }
  Result<bool> exists(const string& path) override { return Fs::real().exists(path); }
  Result<uint64_t> free_bytes(const string&) override { return lever.free_bytes.load(); }

 private:
  Result<std::unique_ptr<File>> wrap(Result<std::unique_ptr<File>> file) {
    if (!file) return file;
    return std::unique_ptr<File>(std::make_unique<LeverFile>(std::move(*file), lever));
  }
};

// ---- A client ----

// Blocking, with a deadline far above anything a test needs: a hang is a failure, not a stuck build.
class Client {
 public:
  explicit Client(const Address& address) {
    sockaddr_storage storage{};
    socklen_t size;
    if (address.is_unix()) {
      auto& local = reinterpret_cast<sockaddr_un&>(storage);
      local.sun_family = AF_UNIX;
      strncpy(local.sun_path, address.path.c_str(), sizeof local.sun_path - 1);
      size = sizeof local;
    } else {
      auto& four = reinterpret_cast<sockaddr_in&>(storage);
      four.sin_family = AF_INET;
      four.sin_port = htons(address.port);
      inet_pton(AF_INET, address.host.c_str(), &four.sin_addr);
      size = sizeof four;
    }
    socket_ = ::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    timeval limit{20, 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&storage), size) == 0;
  }
  Client(Client&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)), connected_(other.connected_), input_(std::move(other.input_)) {}
  ~Client() { die(); }
  void die() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }
  // The connection breaks with a reset instead of ending in order.
  void reset() {
    linger now{1, 0};
    setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    die();
  }
  void shut_output() { ::shutdown(socket_, SHUT_WR); }
  bool send(const string& bytes) {
    for (size_t at = 0; at < bytes.size();) {
      ssize_t put = ::send(socket_, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
      if (put <= 0) return false;
      at += static_cast<size_t>(put);
    }
    return true;
  }
  // One packet of the milter protocol without its length; "EOF" and the like as line().
  string packet() {
    for (;;) {
      uint32_t length = 0;
      if (input_.size() >= 4) {
        memcpy(&length, input_.data(), 4);
        length = ntohl(length);
        if (input_.size() >= 4 + length) break;
      }
      string failure = more();
      if (!failure.empty()) return failure;
    }
    uint32_t length;
    memcpy(&length, input_.data(), 4);
    string out = input_.substr(4, ntohl(length));
    input_.erase(0, 4 + out.size());
    return out;
  }
  // One line without its end; "EOF" when the server closed, "TIMEOUT" when it said nothing.
  string line() {
    size_t end;
    while ((end = input_.find("\r\n")) == string::npos) {
      string failure = more();
      if (!failure.empty()) return failure;
    }
    string out = input_.substr(0, end);
    input_.erase(0, end + 2);
    return out;
  }
  // The last line of one reply.
  string reply() {
    string last = line();
    while (last.size() > 3 && last[3] == '-') last = line();
    return last;
  }
  string say(const string& command) { return send(command + "\r\n") ? reply() : "CLOSED"; }
  string code(const string& command) { return say(command).substr(0, 3); }
  // Up to the answer of DATA; gives that answer.
  string envelope(const string& from = "a@b.example", int recipients = 1) {
    string answer = say("MAIL FROM:<" + from + ">");
    if (answer.substr(0, 3) != "250") return answer;
    for (int i = 0; i < recipients; ++i) say("RCPT TO:<r" + std::to_string(i) + "@b.example>");
    return say("DATA");
  }
  string hello() {
    line();
    return say("LHLO mx.b.example");
  }
  string deliver(const string& content) {
    string answer = envelope();
    if (answer.substr(0, 3) != "354") return answer;
    return send(content + ".\r\n") ? reply() : "CLOSED";
  }
  bool connected() const { return connected_; }

 private:
  // Empty when something came.
  string more() {
    char buffer[65536];
    ssize_t got = ::recv(socket_, buffer, sizeof buffer, 0);
    if (got == 0) return "EOF";
    if (got < 0) return errno == EAGAIN ? "TIMEOUT" : "RESET";
    input_.append(buffer, static_cast<size_t>(got));
    return {};
  }

  int socket_ = -1;
  bool connected_ = false;
  string input_;
};

// ---- The server under test ----

class Recorder : public Observer {
 public:
  void stored(const Receipt& receipt, const RecordRef& place) override {
    std::lock_guard lock(mutex_);
    stored_.push_back(receipt);
    EXPECT_GT(place.length, receipt.size);
    changed_.notify_all();
  }
  void not_stored(const Receipt&, const Error& error) override {
    std::lock_guard lock(mutex_);
    errors_.push_back(error.code);
    changed_.notify_all();
  }
  void session_ended(const string&, const string& fault) override {
    std::lock_guard lock(mutex_);
    faults_.push_back(fault);
    changed_.notify_all();
  }
  void notice(const string&) override {}
  void tick() override { ++ticks; }

  bool wait_for(const std::function<bool(const Recorder&)>& condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 20s, [&] { return condition(*this); });
  }
  bool wait_for_stored(size_t count) {
    return wait_for([count](const Recorder& self) { return self.stored_.size() >= count; });
  }
  bool wait_for_faults(size_t count) {
    return wait_for([count](const Recorder& self) { return self.faults_.size() >= count; });
  }
  std::vector<Receipt> stored_now() {
    std::lock_guard lock(mutex_);
    return stored_;
  }
  std::vector<Code> errors_now() {
    std::lock_guard lock(mutex_);
    return errors_;
  }
  std::vector<string> faults_now() {
    std::lock_guard lock(mutex_);
    return faults_;
  }
  std::atomic<int> ticks{0};

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Receipt> stored_;
  std::vector<Code> errors_;
  std::vector<string> faults_;
};

Server::Options quick_options() {
  Server::Options options;
  options.peers = {*Network::parse("127.0.0.0/8")};
  options.full_pause = 200ms;
  options.failed_pause = 100ms;
  options.linger_timeout = 100ms;
  return options;
}

class IngestServer : public testing::Test {
 protected:
  void start(Server::Options options = quick_options(), smtp::Protocol protocol = smtp::Protocol::kLmtp) {
    root_ = testing::TempDir() + "arch-smtp-XXXXXX";
    ASSERT_NE(mkdtemp(root_.data()), nullptr);
    directory_ = root_ + "/archive";
    auto archive = create_archive(fs_, directory_, Clock::system().now());
    ASSERT_TRUE(archive);
    GroupCommit::Options commit_options;
    commit_options.roll_bytes = 4 << 20;
    commit_options.reserve_free_bytes = 1000;
    commit_options.max_waiting_bytes = UINT64_MAX / 2;
    auto commit =
        GroupCommit::create(fs_, Clock::system(), journal_directory(directory_), archive->id, commit_options);
    ASSERT_TRUE(commit);
    commit_ = std::move(*commit);
    smtp::Options session;
    session.hostname = "archive.example";
    session.message_bytes = message_bytes_;
    std::vector<Endpoint> endpoints;
    auto add = [&](const Address& address, std::unique_ptr<Service> service, Address* bound) {
      auto listener = Listener::open(address);
      ASSERT_TRUE(listener);
      *bound = listener->address();
      endpoints.push_back({std::move(*listener), std::move(service)});
    };
    add(*Address::parse("inet:127.0.0.1:0"), std::make_unique<smtp::Service>(protocol, session), &address_);
    add(*Address::parse("unix:" + root_ + "/lmtp.sock"),
        std::make_unique<smtp::Service>(smtp::Protocol::kLmtp, session), &unix_address_);
    milter::Options milter;
    milter.message_bytes = message_bytes_;
    add(*Address::parse("unix:" + root_ + "/milter.sock"), std::make_unique<milter::Service>(milter),
        &milter_address_);
    auto server = Server::create(*commit_, Clock::system(), seen_, std::move(endpoints), std::move(options));
    ASSERT_TRUE(server);
    server_ = std::move(*server);
    thread_ = std::thread([this] {
      auto result = server_->run();
      EXPECT_TRUE(result) << (result ? "" : result.error().what);
      finished_ = true;
    });
  }
  void drain_and_join() {
    if (!thread_.joinable()) return;
    server_->request_drain();
    thread_.join();
  }
  // Drains, closes the journal and gives the messages found in it, sorted.
  std::multiset<string> journal() {
    drain_and_join();
    EXPECT_TRUE(commit_->stop());
    std::multiset<string> out;
    auto files = list_journal(Fs::real(), journal_directory(directory_));
    EXPECT_TRUE(files);
    for (const JournalFileInfo& file : *files) {
      auto reader = JournalReader::open(Fs::real(), file.path);
      EXPECT_TRUE(reader);
      uint64_t offset = 0;
      JournalReader::Record record;
      string message;
      while (true) {
        auto more = (*reader)->next(&offset, &record, &message, nullptr);
        EXPECT_TRUE(more);
        if (!more || !*more) break;
        EXPECT_EQ(record.delivery.digest, Sha256::of(as_bytes(message)));
        out.insert(message);
        records_.push_back(record.delivery);
      }
    }
    return out;
  }
  void TearDown() override {
    fs_.lever.release();
    drain_and_join();
    server_.reset();
    commit_.reset();
    if (!root_.empty()) std::filesystem::remove_all(root_);
  }

  LeverFs fs_;
  Recorder seen_;
  string root_, directory_;
  Address address_, unix_address_, milter_address_;
  uint64_t message_bytes_ = limits::kMessageBytes;
  std::unique_ptr<GroupCommit> commit_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
  std::atomic<bool> finished_{false};
  std::vector<Delivery> records_;
};

using Messages = std::multiset<string>;

string content(size_t number) { return "Subject: " + std::to_string(number) + "\r\n\r\nbody\r\n"; }

TEST_F(IngestServer, AnswersEachRecipientInOrderAndTheRecordIsThere) {
  start();
  for (const Address& address : {address_, unix_address_}) {
    Client client(address);
    EXPECT_EQ(client.line(), "220 archive.example LMTP archd");
    EXPECT_EQ(client.say("LHLO mx.b.example"), "250 SIZE 0");
    EXPECT_EQ(client.envelope("a@b.example", 3).substr(0, 3), "354");
    client.send(content(1) + ".\r\n");
    string mark = " archived arch:" + Sha256::of(as_bytes(content(1))).hex().substr(0, 16);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(client.line(), "250 2.0.0 <r" + std::to_string(i) + "@b.example>" + mark);
    EXPECT_EQ(client.say("QUIT"), "221 2.0.0 Bye");
    EXPECT_EQ(client.line(), "EOF");
  }
  EXPECT_EQ(journal(), (Messages{content(1), content(1)}));
  ASSERT_EQ(records_.size(), 2u);
  EXPECT_EQ(records_[0].rcpt.size(), 3u);
  EXPECT_EQ(records_[0].client_addr, "127.0.0.1");
  EXPECT_EQ(records_[1].client_addr, "");
  EXPECT_GT(records_[0].captured, 0);
}

TEST_F(IngestServer, SmtpIsServedToo) {
  start(quick_options(), smtp::Protocol::kSmtp);
  Client client(address_);
  EXPECT_EQ(client.line(), "220 archive.example ESMTP archd");
  EXPECT_EQ(client.say("EHLO mx"), "250 SIZE 0");
  EXPECT_EQ(client.envelope("a@b", 2).substr(0, 3), "354");
  client.send(content(1) + ".\r\nNOOP\r\n");
  EXPECT_EQ(client.line().substr(0, 24), "250 2.0.0 archived arch:");
  EXPECT_EQ(client.line(), "250 2.0.0 Ok");
  EXPECT_EQ(journal(), Messages{content(1)});
}

TEST_F(IngestServer, ServesTwoHundredConnectionsAndRefusesTheNext) {
  start();
  std::vector<Client> clients;
  for (int i = 0; i < 200; ++i) {
    clients.emplace_back(address_);
    ASSERT_TRUE(clients.back().connected());
    ASSERT_EQ(clients.back().line().substr(0, 3), "220") << i;
  }
  Client late(address_);
  EXPECT_EQ(late.line(), "421 4.3.2 archive.example too many connections");
  EXPECT_EQ(late.line(), "EOF");
  Messages expected;
  for (size_t i = 0; i < clients.size(); ++i) {
    ASSERT_TRUE(clients[i].send("LHLO mx\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"));
    expected.insert(content(i));
  }
  for (Client& client : clients) {
    for (int i = 0; i < 3; ++i) ASSERT_EQ(client.reply().substr(0, 3), "250");
    ASSERT_EQ(client.reply().substr(0, 3), "354");
  }
  for (size_t i = 0; i < clients.size(); ++i) ASSERT_TRUE(clients[i].send(content(i) + ".\r\n"));
  for (Client& client : clients) ASSERT_EQ(client.reply().substr(0, 9), "250 2.0.0");
  clients.pop_back();  // one place is free again
  bool served = false;
  for (int attempt = 0; attempt < 100 && !served; ++attempt) {
    Client next(address_);
    served = next.line().substr(0, 3) == "220";
    if (!served) std::this_thread::sleep_for(20ms);
  }
  EXPECT_TRUE(served);
  clients.clear();
  EXPECT_EQ(journal(), expected);
}

// What an MTA says to a filter for one message, and the message it means.
string packet(char code, const string& data = {}) {
  const uint32_t length = htonl(static_cast<uint32_t>(data.size() + 1));
  return string(reinterpret_cast<const char*>(&length), 4) + code + data;
}
string milter_envelope() {
  return packet('M', "<a@b>" + string(1, '\0')) + packet('R', "<c@d>" + string(1, '\0')) +
         packet('R', "<bcc@d>" + string(1, '\0'));
}
string milter_hello() {
  const string numbers("\0\0\0\6\0\0\1\xff\0\x1f\xff\xff", 12);
  return packet('O', numbers) + packet('C', string("client\0"
                                                   "4\0\x19"
                                                   "192.0.2.1\0",
                                                   20));
}
string milter_content(size_t number) {
  return packet('L', string("Subject\0 ", 9) + std::to_string(number) + '\0') + packet('N') +
         packet('B', "body\r\n") + packet('E');
}
string milter_message(size_t number) { return "Subject: " + std::to_string(number) + "\r\n\r\nbody\r\n"; }

TEST_F(IngestServer, AMilterIsServedAndAcceptsOnlyWhatIsDurable) {
  auto options = quick_options();
  options.progress_interval = 20ms;
  start(options);
  Client client(milter_address_);
  ASSERT_TRUE(client.send(milter_hello() + milter_envelope()));
  EXPECT_EQ(client.packet().substr(0, 1), "O");
  EXPECT_EQ(client.packet(), "c");
  fs_.lever.hold();
  ASSERT_TRUE(client.send(milter_content(1)));
  EXPECT_EQ(client.packet(), "p") << "patience is asked for while the sync hangs";
  EXPECT_EQ(client.packet(), "p");
  fs_.lever.release();
  string answer;
  while ((answer = client.packet()) == "p") {
  }
  EXPECT_EQ(answer, "a");
  ASSERT_TRUE(client.send(milter_envelope() + milter_content(2)));
  EXPECT_EQ(client.packet(), "c");
  while ((answer = client.packet()) == "p") {
  }
  EXPECT_EQ(answer, "a");
  EXPECT_EQ(journal(), (Messages{milter_message(1), milter_message(2)}));
  ASSERT_EQ(records_.size(), 2u);
  EXPECT_EQ(records_[0].channel, Channel::kMilter);
  EXPECT_EQ(records_[0].client_addr, "192.0.2.1");
  ASSERT_EQ(records_[0].rcpt.size(), 2u);
  EXPECT_EQ(records_[0].rcpt[1].address, "bcc@d");
}

TEST_F(IngestServer, AMilterIsToldOfAFailedSyncAndServedAgainAfterIt) {
  start();
  Client client(milter_address_);
  ASSERT_TRUE(client.send(milter_hello() + milter_envelope()));
  client.packet();
  client.packet();
  fs_.lever.failing_syncs = 1;
  ASSERT_TRUE(client.send(milter_content(1)));
  EXPECT_EQ(client.packet(), string("y451 4.3.0 archive storage error\0", 33));
  std::this_thread::sleep_for(150ms);  // failed_pause
  ASSERT_TRUE(client.send(milter_envelope() + milter_content(2)));
  EXPECT_EQ(client.packet(), "c");
  EXPECT_EQ(client.packet(), "a");
  EXPECT_EQ(journal(), Messages{milter_message(2)});
}

TEST_F(IngestServer, AnMtaThatDiesLeavesATraceOnlyAfterTheEndOfItsMessage) {
  start();
  const string whole = milter_hello() + milter_envelope() + milter_content(1);
  size_t cuts = 0;
  for (size_t cut = 0; cut < whole.size(); cut += 3, ++cuts) {
    Client client(milter_address_);
    client.send(whole.substr(0, cut));
    cut % 2 == 0 ? client.reset() : client.die();
  }
  ASSERT_GT(cuts, 30u);
  {
    Client client(milter_address_);
    fs_.lever.hold();
    client.send(whole);
    client.packet();
    client.packet();
    client.die();
  }
  fs_.lever.release();
  EXPECT_EQ(journal(), Messages{milter_message(1)});
}

TEST_F(IngestServer, APeerThatDiesBeforeTheDotLeavesNoTrace) {
  start();
  const string steps[] = {"", "LHLO mx\r\n", "LHLO mx\r\nMAIL FROM:<a@b>\r\n",
                          "LHLO mx\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n",
                          "LHLO mx\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n"};
  const string tails[] = {"", "Subj", "Subject: x\r\n", "Subject: x\r\n.", "Subject: x\r\n.\r"};
  size_t with_transaction = 0;
  for (bool reset : {false, true}) {
    for (const Address& address : {address_, unix_address_}) {
      for (const string& step : steps) {
        for (const string& tail : tails) {
          bool data = step.find("DATA") != string::npos;
          if (!data && !tail.empty()) continue;
          Client client(address);
          client.line();
          client.send(step);
          if (data) {
            while (client.line().substr(0, 3) != "354") {
            }
            client.send(tail);
          } else if (step.find("MAIL") != string::npos) {
            client.reply();
          }
          if (step.find("MAIL") != string::npos) ++with_transaction;
          reset ? client.reset() : client.die();
        }
      }
    }
  }
  EXPECT_GE(with_transaction, 28u);
  EXPECT_TRUE(seen_.wait_for_faults(with_transaction));
  Client after(address_);
  after.hello();
  EXPECT_EQ(after.deliver(content(7)).substr(0, 3), "250");
  EXPECT_EQ(journal(), Messages{content(7)});
}

TEST_F(IngestServer, APeerThatDiesAfterTheDotHasItsMessageStored) {
  start();
  for (int way = 0; way < 3; ++way) {
    fs_.lever.hold();
    Client client(address_);
    client.hello();
    ASSERT_EQ(client.envelope().substr(0, 3), "354");
    client.send(content(static_cast<size_t>(way)) + ".\r\n");
    // The message has left the session when a second connection is served after it.
    Client other(address_);
    other.hello();
    if (way == 0) client.die();
    if (way == 1) client.reset();
    if (way == 2) client.shut_output();  // it still reads, so it is answered
    other.say("NOOP");
    fs_.lever.release();
    if (way == 2) {
      EXPECT_EQ(client.reply().substr(0, 9), "250 2.0.0");
    }
    ASSERT_TRUE(seen_.wait_for_stored(static_cast<size_t>(way) + 1));
  }
  EXPECT_EQ(seen_.stored_now()[2].answered, true);
  EXPECT_EQ(journal(), (Messages{content(0), content(1), content(2)}));
}

TEST_F(IngestServer, AFailedSyncIs451AndPassesByItself) {
  start();
  Client client(address_);
  client.hello();
  EXPECT_EQ(client.deliver(content(1)).substr(0, 9), "250 2.0.0");
  fs_.lever.failing_syncs = 1;
  EXPECT_EQ(client.deliver(content(2)), "451 4.3.0 <r0@b.example> archive storage error");
  string answer;
  bool told_at_mail = false;
  for (int i = 0; i < 200; ++i) {
    answer = client.deliver(content(3));
    if (answer.substr(0, 3) == "250") break;
    told_at_mail = true;
    EXPECT_EQ(answer, "451 4.3.0 archive storage error");
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_TRUE(told_at_mail);
  EXPECT_EQ(answer.substr(0, 9), "250 2.0.0");
  EXPECT_EQ(seen_.errors_now(), std::vector<Code>{Code::kIo});
  Messages found = journal();
  // Not acknowledged: whole or absent.
  found.erase(content(2));
  EXPECT_EQ(found, (Messages{content(1), content(3)}));
}

TEST_F(IngestServer, AFullDiskIs452AndPassesWhenThereIsRoom) {
  start();
  Client client(address_);
  client.hello();
  ASSERT_EQ(client.envelope().substr(0, 3), "354");  // began before the disk was full
  fs_.lever.free_bytes = 999;                        // one below the reserve
  client.send(content(1) + ".\r\n");
  EXPECT_EQ(client.reply(), "452 4.3.1 <r0@b.example> insufficient archive storage");
  EXPECT_EQ(client.say("MAIL FROM:<a@b>"), "452 4.3.1 insufficient archive storage");
  fs_.lever.free_bytes = 1000;
  string answer;
  for (int i = 0; i < 200; ++i) {
    answer = client.deliver(content(2));
    if (answer.substr(0, 3) == "250") break;
    EXPECT_EQ(answer.substr(0, 9), "452 4.3.1");
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_EQ(answer.substr(0, 9), "250 2.0.0");
  EXPECT_EQ(journal(), Messages{content(2)});
}

TEST_F(IngestServer, ADrainFinishesWhatIsUnderWayAndRefusesTheRest) {
  start();
  Client idle(address_), busy(address_), waiting(address_);
  idle.hello();
  busy.hello();
  waiting.hello();
  ASSERT_EQ(busy.envelope().substr(0, 3), "354");
  ASSERT_EQ(waiting.envelope().substr(0, 3), "354");
  fs_.lever.hold();
  waiting.send(content(1) + ".\r\n");
  idle.say("NOOP");
  server_->request_drain();
  EXPECT_EQ(idle.line(), "421 4.3.2 archive.example shutting down");
  EXPECT_EQ(idle.line(), "EOF");
  Client late(address_);
  EXPECT_EQ(late.line(), "421 4.3.2 archive.example shutting down");
  EXPECT_EQ(late.line(), "EOF");
  EXPECT_FALSE(finished_);
  busy.send(content(2));
  fs_.lever.release();
  EXPECT_EQ(waiting.line().substr(0, 9), "250 2.0.0");
  EXPECT_EQ(waiting.line(), "421 4.3.2 archive.example shutting down");
  EXPECT_FALSE(finished_);
  busy.send(".\r\n");
  EXPECT_EQ(busy.line().substr(0, 9), "250 2.0.0");
  EXPECT_EQ(busy.line(), "421 4.3.2 archive.example shutting down");
  idle.die();
  busy.die();
  waiting.die();
  EXPECT_EQ(journal(), (Messages{content(1), content(2)}));
  auto files = list_journal(Fs::real(), journal_directory(directory_));
  ASSERT_TRUE(files);
  for (const JournalFileInfo& file : *files) EXPECT_EQ(file.state, JournalState::kClosed);
}

TEST_F(IngestServer, ADrainDoesNotWaitForEverForAPeerThatStalls) {
  Server::Options options = quick_options();
  options.drain_timeout = 100ms;
  start(options);
  Client stalled(address_);
  stalled.hello();
  ASSERT_EQ(stalled.envelope().substr(0, 3), "354");
  stalled.send("Subject: half");
  server_->request_drain();
  EXPECT_EQ(stalled.line().substr(0, 9), "421 4.4.2");
  stalled.die();
  EXPECT_EQ(journal(), Messages{});
}

TEST_F(IngestServer, SilentPeersAreToldAndDropped) {
  Server::Options options = quick_options();
  options.command_timeout = 150ms;
  options.data_timeout = 150ms;
  start(options);
  Client in_commands(address_), in_data(address_);
  in_commands.line();
  in_data.hello();
  ASSERT_EQ(in_data.envelope().substr(0, 3), "354");
  EXPECT_EQ(in_commands.line(), "421 4.4.2 archive.example timeout exceeded");
  EXPECT_EQ(in_commands.line(), "EOF");
  EXPECT_EQ(in_data.line(), "421 4.4.2 archive.example timeout exceeded");
  EXPECT_EQ(in_data.line(), "EOF");
  EXPECT_GT(seen_.ticks, 0);
  EXPECT_EQ(journal(), Messages{});
}

TEST_F(IngestServer, AMessageThatTricklesInIsCutOffAfterItsTime) {
  Server::Options options = quick_options();
  options.message_timeout = 200ms;
  start(options);
  Client client(address_);
  client.hello();
  ASSERT_EQ(client.envelope().substr(0, 3), "354");
  bool cut = false;
  for (int i = 0; i < 500 && !cut; ++i) {
    cut = !client.send("x");
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_EQ(client.line().substr(0, 9), "421 4.4.2");
  EXPECT_EQ(journal(), Messages{});
}

TEST_F(IngestServer, AStoreThatTakesTooLongIs451AndTheMessageMayStillBeStored) {
  Server::Options options = quick_options();
  options.commit_timeout = 150ms;
  start(options);
  Client client(address_);
  client.hello();
  fs_.lever.hold();
  EXPECT_EQ(client.deliver(content(1)), "451 4.3.0 <r0@b.example> archive storage error");
  fs_.lever.release();
  ASSERT_TRUE(seen_.wait_for_stored(1));
  EXPECT_FALSE(seen_.stored_now()[0].answered);
  EXPECT_EQ(client.deliver(content(1)).substr(0, 3), "250");  // the retry is one more delivery
  EXPECT_EQ(journal(), (Messages{content(1), content(1)}));
}

TEST_F(IngestServer, WhatTheCommitThreadCannotTakeYetWaitsItsTurn) {
  Server::Options options = quick_options();
  options.max_commit_bytes = 100;
  start(options);
  fs_.lever.hold();
  std::vector<Client> clients;
  Messages expected;
  for (size_t i = 0; i < 8; ++i) {
    clients.emplace_back(address_);
    clients.back().hello();
    ASSERT_EQ(clients.back().envelope().substr(0, 3), "354");
    string message = content(i) + string(60 + 40 * i, 'x') + "\r\n";  // some over the bound by themselves
    clients.back().send(message + ".\r\n");
    expected.insert(message);
  }
  Client probe(address_);
  probe.hello();
  fs_.lever.release();
  for (Client& client : clients) EXPECT_EQ(client.reply().substr(0, 9), "250 2.0.0");
  EXPECT_EQ(journal(), expected);
}

TEST_F(IngestServer, WhatWaitedTooLongIsGivenBackUnstored) {
  Server::Options options = quick_options();
  options.max_commit_bytes = 10;
  options.commit_timeout = 150ms;
  start(options);
  fs_.lever.hold();
  Client first(address_), second(address_);
  first.hello();
  second.hello();
  ASSERT_EQ(first.envelope().substr(0, 3), "354");
  ASSERT_EQ(second.envelope().substr(0, 3), "354");
  first.send(content(1) + ".\r\n");
  first.die();
  Client between(address_);
  between.hello();
  second.send(content(2) + ".\r\n");
  EXPECT_EQ(second.reply().substr(0, 9), "451 4.3.0");
  fs_.lever.release();
  ASSERT_TRUE(seen_.wait_for_stored(1));
  EXPECT_EQ(journal(), Messages{content(1)});
}

TEST_F(IngestServer, ContentInMemoryIsBoundedAndEverybodyFinishes) {
  Server::Options options = quick_options();
  options.max_content_bytes = 256 << 10;
  start(options);
  constexpr size_t kClients = 6;
  std::vector<std::thread> senders;
  std::atomic<int> good{0};
  Messages expected;
  for (size_t i = 0; i < kClients; ++i) {
    string message;
    while (message.size() < (600u << 10)) message += content(i);
    expected.insert(message);
    senders.emplace_back([this, message, &good] {
      Client client(address_);
      client.hello();
      if (client.deliver(message).substr(0, 9) == "250 2.0.0") ++good;
    });
  }
  for (std::thread& sender : senders) sender.join();
  EXPECT_EQ(good, static_cast<int>(kClients));
  EXPECT_EQ(journal(), expected);
}

TEST_F(IngestServer, WhoIsHeldBackTooLongIsAnswered451) {
  Server::Options options = quick_options();
  options.max_content_bytes = 100 << 10;
  options.patience = 200ms;
  start(options);
  Client hog(address_), other(address_);
  hog.hello();
  other.hello();
  ASSERT_EQ(hog.envelope().substr(0, 3), "354");
  ASSERT_EQ(other.envelope().substr(0, 3), "354");
  string big(200 << 10, 'x');
  hog.send(big);  // over the bound, and then silent
  other.send("Subject: other\r\n");
  std::thread sender([&other] { other.send(string(400 << 10, 'y') + "\r\n.\r\n"); });
  EXPECT_EQ(other.reply(), "451 4.3.0 <r0@b.example> archive busy, try again");
  sender.join();
  hog.send("\r\n.\r\n");
  EXPECT_EQ(hog.reply().substr(0, 9), "250 2.0.0");
  EXPECT_EQ(other.deliver(content(3)).substr(0, 9), "250 2.0.0");
  EXPECT_EQ(journal(), (Messages{big + "\r\n", content(3)}));
}

TEST_F(IngestServer, APeerThatDoesNotReadItsRepliesIsNotReadOn) {
  Server::Options options = quick_options();
  options.command_timeout = 500ms;
  options.data_timeout = 500ms;
  start(options);
  Client deaf(address_);
  deaf.hello();
  // Far more replies than any buffer holds; the server stops reading, so sending fails by and by.
  string commands;
  for (int i = 0; i < 20000; ++i) commands += "VRFY x\r\n";
  int rounds = 0;
  std::thread sender([&deaf, &commands, &rounds] {
    while (rounds < 1000 && deaf.send(commands)) ++rounds;
  });
  EXPECT_TRUE(seen_.wait_for_faults(1));
  sender.join();
  EXPECT_LT(rounds, 1000);
  EXPECT_EQ(seen_.faults_now()[0], "timeout");
  EXPECT_EQ(journal(), Messages{});
}

TEST_F(IngestServer, TheLastReplyReachesAPeerThatStillSends) {
  start();
  for (int i = 0; i < 20; ++i) {
    Client client(address_);
    client.hello();
    client.send("MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n" + string(100000, 'x'));
    EXPECT_EQ(client.line().substr(0, 3), "250");
    EXPECT_EQ(client.line().substr(0, 3), "250");
    EXPECT_EQ(client.line(), "503 5.5.1 Wait for 354 before sending data");
  }
  EXPECT_EQ(journal(), Messages{});
}

TEST_F(IngestServer, StrangersAreRefused) {
  Server::Options options = quick_options();
  options.peers = {*Network::parse("192.0.2.0/24")};
  start(options);
  Client stranger(address_);
  EXPECT_EQ(stranger.line(), "554 5.7.1 archive.example refused");
  EXPECT_EQ(stranger.line(), "EOF");
  Client local(unix_address_);  // the rights of the socket file decide
  EXPECT_EQ(local.line().substr(0, 3), "220");
  EXPECT_EQ(seen_.faults_now(), std::vector<string>{"not an allowed peer"});
}

TEST_F(IngestServer, ManyMessagesShareSyncs) {
  start();
  std::vector<std::thread> senders;
  std::atomic<int> good{0};
  for (size_t i = 0; i < 10; ++i) {
    senders.emplace_back([this, i, &good] {
      Client client(address_);
      client.hello();
      for (size_t j = 0; j < 30; ++j)
        if (client.deliver(content(i * 100 + j)).substr(0, 9) == "250 2.0.0") ++good;
    });
  }
  for (std::thread& sender : senders) sender.join();
  EXPECT_EQ(good, 300);
  Messages found = journal();
  EXPECT_EQ(found.size(), 300u);
  EXPECT_EQ(std::set<string>(found.begin(), found.end()).size(), 300u);
}

// ---- Addresses ----

TEST(Listener, AddressesAreReadAndWritten) {
  const std::pair<const char*, const char*> good[] = {
      {"unix:/run/archd/lmtp.sock", "unix:/run/archd/lmtp.sock"},
      {"inet:127.0.0.1:2424", "inet:127.0.0.1:2424"},
      {"inet:localhost:0", "inet:127.0.0.1:0"},
      {"inet:[::1]:65535", "inet:[::1]:65535"},
      {"inet:::1:24", "inet:[::1]:24"},
  };
  for (const auto& [text, written] : good) {
    auto address = Address::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->text(), written);
  }
  for (const char* bad : {"", "unix:", "inet:", "inet:127.0.0.1", "inet:127.0.0.1:", "inet:127.0.0.1:65536",
                          "inet:host.example:24", "inet:127.0.0.1:x", "127.0.0.1:24", "inet:1.2.3:4", "inet::24"}) {
    auto address = Address::parse(bad);
    ASSERT_FALSE(address) << bad;
    EXPECT_EQ(address.error().code, Code::kUsage);
    EXPECT_FALSE(address.error().hint.empty());
  }
  EXPECT_TRUE(Address::parse("unix:" + string(107, 'p')));
  EXPECT_FALSE(Address::parse("unix:" + string(108, 'p')));
  EXPECT_TRUE(Address::parse("inet:127.3.2.1:1")->is_loopback());
  EXPECT_TRUE(Address::parse("unix:/x")->is_loopback());
  EXPECT_FALSE(Address::parse("inet:0.0.0.0:1")->is_loopback());
  EXPECT_FALSE(Address::parse("inet:[::]:1")->is_loopback());
}

sockaddr_storage socket_address(const char* host) {
  sockaddr_storage out{};
  auto& four = reinterpret_cast<sockaddr_in&>(out);
  auto& six = reinterpret_cast<sockaddr_in6&>(out);
  if (inet_pton(AF_INET, host, &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
  } else {
    EXPECT_EQ(inet_pton(AF_INET6, host, &six.sin6_addr), 1);
    six.sin6_family = AF_INET6;
  }
  return out;
}

TEST(Listener, NetworksContainWhatTheySay) {
  struct Row {
    const char* network;
    const char* address;
    bool inside;
  };
  const Row rows[] = {
      {"192.0.2.7", "192.0.2.7", true},
      {"192.0.2.7", "192.0.2.8", false},
      {"192.0.2.0/24", "192.0.2.255", true},
      {"192.0.2.0/24", "192.0.3.0", false},
      {"10.0.0.0/9", "10.127.255.255", true},
      {"10.0.0.0/9", "10.128.0.0", false},
      {"0.0.0.0/0", "203.0.113.1", true},
      {"0.0.0.0/0", "2001:db8::1", false},
      {"192.0.2.0/24", "::ffff:192.0.2.9", true},
      {"2001:db8::/32", "2001:db8:ffff::1", true},
      {"2001:db8::/32", "2001:db9::", false},
      {"::/0", "192.0.2.1", true},
      {"::1", "::1", true},
      {"::1", "127.0.0.1", false},
  };
  for (const Row& row : rows) {
    auto network = Network::parse(row.network);
    ASSERT_TRUE(network) << row.network;
    EXPECT_EQ(network->contains(socket_address(row.address)), row.inside) << row.network << " " << row.address;
  }
  for (const char* bad : {"", "x", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/-1", "::/129", "192.0.2/24", "/8"})
    EXPECT_FALSE(Network::parse(bad)) << bad;
  sockaddr_storage local{};
  local.ss_family = AF_UNIX;
  EXPECT_FALSE(Network::parse("::/0")->contains(local));
  string port;
  EXPECT_EQ(numeric_host(socket_address("::ffff:192.0.2.9"), &port), "192.0.2.9");
  EXPECT_EQ(numeric_host(local, &port), "");
}

TEST(Listener, AStaleSocketIsReplacedAndALiveOneIsNot) {
  string root = testing::TempDir() + "arch-listener-XXXXXX";
  ASSERT_NE(mkdtemp(root.data()), nullptr);
  const Address address = *Address::parse("unix:" + root + "/s");
  {
    auto first = Listener::open(address);
    ASSERT_TRUE(first);
    EXPECT_EQ(std::filesystem::status(address.path).permissions(), std::filesystem::perms{0660});
    auto second = Listener::open(address);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Code::kExists);
    EXPECT_TRUE(Client(address).connected());
  }
  EXPECT_TRUE(std::filesystem::exists(address.path));
  EXPECT_TRUE(Listener::open(address));
  std::filesystem::remove(address.path);
  std::ofstream(address.path) << "not a socket";
  auto third = Listener::open(address);
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, Code::kExists);
  EXPECT_EQ(std::filesystem::file_size(address.path), 12u);
  std::filesystem::remove_all(root);
}

TEST(Listener, ATakenPortIsSaid) {
  auto first = Listener::open(*Address::parse("inet:127.0.0.1:0"));
  ASSERT_TRUE(first);
  EXPECT_NE(first->address().port, 0);
  auto second = Listener::open(first->address());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kExists);
  EXPECT_NE(second.error().what.find(first->address().text()), string::npos);
}

}  // namespace
}  // namespace arch::ingest
