#include "ingest/server/server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <deque>
#include <mutex>
#include <unordered_map>
#include <utility>

namespace arch::ingest {

namespace {

using Time = std::chrono::steady_clock::time_point;

constexpr size_t kReadBytes = 64u << 10;
constexpr size_t kMaxOutput = 256u << 10;  // unsent replies; above, no further command is read
constexpr int kAcceptsPerTurn = 64;
constexpr int kEventsPerTurn = 128;

// What an epoll event is about.
constexpr uint64_t kBell = 1, kDrainBell = 2, kFirstListener = 16, kFirstConnection = uint64_t{1} << 32;

class Descriptor {
 public:
  explicit Descriptor(int value) : value_(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (value_ >= 0) close(value_);
  }
  int get() const { return value_; }

 private:
  const int value_;
};

void ring(int bell) {
  uint64_t one = 1;
  // Fails only when the counter is full: then the bell rings already.
  [[maybe_unused]] ssize_t written = write(bell, &one, sizeof one);
}

void silence(int bell) {
  uint64_t count;
  [[maybe_unused]] ssize_t got = read(bell, &count, sizeof count);
}

// Where the commit thread leaves outcomes. Shared with the call-backs, which may outlive the server.
struct Mailbox {
  Mailbox() : bell(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  const Descriptor bell;
  std::mutex mutex;
  std::vector<std::pair<uint64_t, Result<RecordRef>>> outcomes;  // ticket, outcome; guarded by mutex

  void post(uint64_t ticket, Result<RecordRef> outcome) {
    {
      std::lock_guard lock(mutex);
      outcomes.emplace_back(ticket, std::move(outcome));
    }
    ring(bell.get());
  }
};

}  // namespace

struct Server::State {
  struct Connection {
    Connection(uint64_t given_id, int descriptor, std::unique_ptr<Session> given_session)
        : id(given_id), socket(descriptor), owned(std::move(given_session)), session(*owned) {}
    const uint64_t id;
    const Descriptor socket;
    const std::unique_ptr<Session> owned;
    Session& session;
    std::string peer;  // for the log
    std::string output;
    size_t sent = 0;                           // of output
    uint32_t interest = 0;                     // what epoll watches
    uint64_t counted = 0;                      // content bytes in content_bytes
    uint64_t ticket = 0;                       // of the message it waits for; 0: none
    bool lingering = false;                    // output sent, our side shut; waits for the peer's end
    bool ended = false;                        // the peer sends nothing more
    bool held_back = false;                    // by max_content_bytes
    Time last_progress, message_begun, since;  // `since`: waiting, held back or lingering
    Time soothed;                              // when the peer was last asked for patience
  };
  struct Ticket {
    uint64_t connection = 0;
    Receipt receipt;
  };
  struct Held {  // finished, not yet handed to the commit thread
    uint64_t ticket = 0;
    Finished finished;
  };

  State(GroupCommit& given_commit, Clock& given_clock, Observer& given_observer,
        std::vector<Endpoint> given_endpoints, Server::Options given)
      : commit(given_commit),
        clock(given_clock),
        observer(given_observer),
        endpoints(std::move(given_endpoints)),
        options(std::move(given)),
        epoll(epoll_create1(EPOLL_CLOEXEC)),
        drain_bell(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        mailbox(std::make_shared<Mailbox>()) {}

  GroupCommit& commit;
  Clock& clock;
  Observer& observer;
  std::vector<Endpoint> endpoints;
  const Server::Options options;
  const Descriptor epoll;
  const Descriptor drain_bell;
  const std::shared_ptr<Mailbox> mailbox;

  std::unordered_map<uint64_t, std::unique_ptr<Connection>> connections;
  uint64_t next_connection = kFirstConnection;
  std::unordered_map<uint64_t, Ticket> tickets;
  uint64_t next_ticket = 1;
  std::deque<Held> held;
  uint64_t commit_bytes = 0;  // handed over, outcome not yet seen
  int events_in_turn = 0;
  uint64_t content_bytes = 0;  // in sessions, held and handed over
  uint64_t privileged = 0;     // the connection that is read on over the content limit
  bool over_limit = false;
  bool accepting = true;
  bool draining = false;
  StoreHealth health = StoreHealth::kGood;
  Time health_until, drain_begun, now;
  std::array<char, kReadBytes> buffer;

  Result<void> watch(int descriptor, uint64_t what, uint32_t events) const {
    epoll_event event{};
    event.events = events;
    event.data.u64 = what;
    if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, descriptor, &event) != 0) return fail_errno(errno, "epoll_ctl failed");
    return {};
  }

  Duration tick_interval() const {
    Duration shortest =
        std::min({options.command_timeout, options.data_timeout, options.message_timeout, options.commit_timeout,
                  options.progress_interval, options.patience, options.drain_timeout, options.linger_timeout});
    return std::clamp(shortest / 4, Duration(5), Duration(1000));
  }

  Result<void> run();
  void on_event(uint64_t what, uint32_t events);
  void listen_to_new(bool wanted);
  void accept_from(const Endpoint& endpoint);
  void adopt(int descriptor, const Endpoint& endpoint, const sockaddr_storage& address);
  void on_connection(Connection& connection, uint32_t events);
  bool read_some(Connection& connection);
  void advance(Connection& connection);
  bool flush(Connection& connection);
  void linger(Connection& connection);
  void update_interest(Connection& connection);
  void count(Connection& connection);
  void check_limit();
  void lose(Connection& connection);
  void drop(uint64_t id);
  void enter(Connection& connection, Finished finished);
  void hand_over(uint64_t ticket, Finished finished);
  void hand_over_held();
  void collect_outcomes();
  void settle(uint64_t id, const Result<RecordRef>& outcome);
  void begin_drain();
  void sweep();
  void sweep_one(Connection& connection);
  StoreHealth current_health() const { return now < health_until ? health : StoreHealth::kGood; }
  std::vector<uint64_t> ids() const {
    std::vector<uint64_t> out;
    out.reserve(connections.size());
    for (const auto& [id, connection] : connections) out.push_back(id);
    return out;
  }
};

Server::Server() = default;
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::create(GroupCommit& commit, Clock& clock, Observer& observer,
                                               std::vector<Endpoint> endpoints, Options options) {
  auto server = std::unique_ptr<Server>(new Server);
  server->state_ = std::make_unique<State>(commit, clock, observer, std::move(endpoints), std::move(options));
  State& state = *server->state_;
  if (state.epoll.get() < 0 || state.drain_bell.get() < 0 || state.mailbox->bell.get() < 0)
    return fail_errno(errno, "cannot set up the event loop");
  ARCH_TRY_VOID(state.watch(state.mailbox->bell.get(), kBell, EPOLLIN));
  ARCH_TRY_VOID(state.watch(state.drain_bell.get(), kDrainBell, EPOLLIN));
  for (size_t i = 0; i < state.endpoints.size(); ++i)
    ARCH_TRY_VOID(state.watch(state.endpoints[i].listener.descriptor(), kFirstListener + i, EPOLLIN));
  return server;
}

Result<void> Server::run() { return state_->run(); }
void Server::request_drain() noexcept { ring(state_->drain_bell.get()); }

Result<void> Server::State::run() {
  const Duration interval = tick_interval();
  now = std::chrono::steady_clock::now();
  Time next_sweep = now + interval;
  std::array<epoll_event, kEventsPerTurn> events;
  while (!draining || !connections.empty() || !tickets.empty()) {
    auto wait = std::max(Duration(0), std::chrono::ceil<Duration>(next_sweep - now));
    int count = epoll_wait(epoll.get(), events.data(), kEventsPerTurn, static_cast<int>(wait.count()));
    if (count < 0 && errno != EINTR) return fail_errno(errno, "epoll_wait failed");
    now = std::chrono::steady_clock::now();
    events_in_turn = count;
    for (int i = 0; i < count; ++i) on_event(events[i].data.u64, events[i].events);
    check_limit();
    if (now >= next_sweep) {
      sweep();
      observer.tick();
      next_sweep = now + interval;
    }
  }
  return {};
}

void Server::State::on_event(uint64_t what, uint32_t events) {
  if (what == kBell) return collect_outcomes();
  if (what == kDrainBell) {
    silence(drain_bell.get());
    return begin_drain();
  }
  if (what < kFirstConnection) return accept_from(endpoints[what - kFirstListener]);
  auto found = connections.find(what);
  if (found != connections.end()) on_connection(*found->second, events);  // an earlier event may have dropped it
}

// ---- Connections ----

// A listener that nobody takes connections from would ring without pause.
void Server::State::listen_to_new(bool wanted) {
  accepting = wanted;
  for (size_t i = 0; i < endpoints.size(); ++i) {
    epoll_event event{};
    event.events = wanted ? uint32_t{EPOLLIN} : 0;
    event.data.u64 = kFirstListener + i;
    ARCH_CHECK(epoll_ctl(epoll.get(), EPOLL_CTL_MOD, endpoints[i].listener.descriptor(), &event) == 0);
  }
}

void Server::State::accept_from(const Endpoint& endpoint) {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    int descriptor = accept4(endpoint.listener.descriptor(), reinterpret_cast<sockaddr*>(&address), &size,
                             SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor >= 0) {
      adopt(descriptor, endpoint, address);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      observer.notice("no further connections for a moment: the system is out of descriptors or memory");
      return listen_to_new(false);  // until the next sweep
    } else if (errno != EINTR && errno != ECONNABORTED) {
      return;  // none left, or one that died in the queue
    }
  }
}

void Server::State::adopt(int descriptor, const Endpoint& endpoint, const sockaddr_storage& address) {
  Peer peer;
  peer.address = numeric_host(address, &peer.port);
  std::string name = peer.address.empty() ? "unix" : peer.address + ":" + peer.port;
  const bool is_unix = endpoint.listener.address().is_unix();
  bool allowed = is_unix || std::any_of(options.peers.begin(), options.peers.end(),
                                        [&address](const Network& network) { return network.contains(address); });
  std::optional<Refusal> refused;
  if (draining) {
    refused = Refusal::kDraining;
  } else if (!allowed) {
    refused = Refusal::kNotAllowed;
    observer.session_ended(name, "not an allowed peer");
  } else if (connections.size() >= options.max_connections) {
    refused = Refusal::kTooMany;
    observer.session_ended(name, "too many connections");
  }
  if (refused) {
    const std::string refusal = endpoint.service->refusal(*refused);
    // A fresh socket takes one line; when it does not, the peer sees the end of the connection, which says as much.
    [[maybe_unused]] ssize_t sent = send(descriptor, refusal.data(), refusal.size(), MSG_NOSIGNAL);
    close(descriptor);
    return;
  }
  int on = 1;
  if (!is_unix) {
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  }
  peer.trusted = true;  // whoever may connect is one of our MTAs
  uint64_t id = next_connection++;
  auto owned = std::make_unique<Connection>(id, descriptor, endpoint.service->open(std::move(peer)));
  Connection& connection = *owned;
  connection.peer = std::move(name);
  connection.last_progress = now;
  connections.emplace(id, std::move(owned));
  auto watched = watch(descriptor, id, 0);
  if (!watched) {
    observer.session_ended(connection.peer, watched.error().what);
    return drop(id);
  }
  advance(connection);
}

void Server::State::on_connection(Connection& connection, uint32_t events) {
  // Both ends are shut, or the connection broke: what the kernel still holds is read, then there is nothing to wait for.
  // While its message is being stored nothing is read, so there the end is taken at its word.
  bool gone = (events & (EPOLLHUP | EPOLLERR)) != 0;
  bool readable = (events & EPOLLIN) != 0 || gone;
  if (readable && !connection.session.waiting() && !connection.held_back) {
    if (!read_some(connection)) return lose(connection);
  } else if (gone) {
    return lose(connection);
  }
  advance(connection);
}

// False when the connection is to be dropped at once.
bool Server::State::read_some(Connection& connection) {
  ssize_t got = recv(connection.socket.get(), buffer.data(), buffer.size(), 0);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) {
    if (connection.lingering) return false;
    connection.ended = true;
    return true;
  }
  if (connection.lingering) return true;  // thrown away
  connection.last_progress = now;
  bool in_content = connection.session.receiving_content();
  connection.session.set_health(current_health());
  connection.session.receive({buffer.data(), static_cast<size_t>(got)});
  if (!in_content && connection.session.receiving_content()) connection.message_begun = now;
  return true;
}

// Carries out what the session wants after it got input or an outcome: hand a message over, send, close.
void Server::State::advance(Connection& connection) {
  auto finished = connection.session.take_finished();
  count(connection);
  if (finished) enter(connection, std::move(*finished));
  connection.output += connection.session.take_output();
  if (!flush(connection)) return lose(connection);
  bool all_sent = connection.output.empty();
  if (connection.ended && !connection.session.waiting() && all_sent) return lose(connection);
  if (connection.session.closing() && all_sent && !connection.lingering) linger(connection);
  update_interest(connection);
}

bool Server::State::flush(Connection& connection) {
  while (connection.sent < connection.output.size()) {
    ssize_t put = send(connection.socket.get(), connection.output.data() + connection.sent,
                       connection.output.size() - connection.sent, MSG_NOSIGNAL);
    if (put < 0) {
      if (errno == EINTR) continue;
      return errno == EAGAIN;
    }
    connection.sent += static_cast<size_t>(put);
    connection.last_progress = now;
  }
  connection.output.clear();
  connection.sent = 0;
  return true;
}

// Closing a socket with unread input would send a reset, which can overtake our last reply: shut our side and wait for
// the peer to do the same.
void Server::State::linger(Connection& connection) {
  if (!connection.session.fault().empty()) observer.session_ended(connection.peer, connection.session.fault());
  shutdown(connection.socket.get(), SHUT_WR);
  connection.lingering = true;
  connection.since = now;
}

void Server::State::update_interest(Connection& connection) {
  const Session& session = connection.session;
  bool hold = over_limit && session.holds_content() && connection.id != privileged;
  if (hold != connection.held_back) {
    connection.held_back = hold;
    connection.since = connection.last_progress = now;
  }
  uint32_t wanted = 0;
  if (connection.lingering || (!session.waiting() && !session.closing() && !hold && !connection.ended &&
                               connection.output.size() < kMaxOutput))
    wanted |= EPOLLIN;
  if (!connection.output.empty()) wanted |= EPOLLOUT;
  if (wanted == connection.interest) return;
  epoll_event event{};
  event.events = wanted;
  event.data.u64 = connection.id;
  ARCH_CHECK(epoll_ctl(epoll.get(), EPOLL_CTL_MOD, connection.socket.get(), &event) == 0);
  connection.interest = wanted;
}

void Server::State::count(Connection& connection) {
  content_bytes += connection.session.buffered_bytes();
  content_bytes -= connection.counted;
  connection.counted = connection.session.buffered_bytes();
  if (connection.id == privileged && !connection.session.holds_content()) privileged = 0;
}

// Holds sessions back when too much content is in memory, and lets them go on when there is room again.
void Server::State::check_limit() {
  bool over = content_bytes > options.max_content_bytes;
  if (over == over_limit && (!over || privileged != 0)) return;
  over_limit = over;
  privileged = 0;
  if (over) {
    // The one that has most is nearest to giving it back. When nobody is in content, the commit thread has it all.
    uint64_t most = 0;
    for (const auto& [id, connection] : connections) {
      if (!connection->session.holds_content() || connection->session.buffered_bytes() < most) continue;
      most = connection->session.buffered_bytes();
      privileged = id;
    }
  }
  for (const auto& [id, connection] : connections) update_interest(*connection);
}

// The peer is gone. What it had begun leaves no trace; a message whose end was seen is stored all the same.
void Server::State::lose(Connection& connection) {
  if (connection.session.in_transaction() && !connection.session.waiting())
    observer.session_ended(connection.peer, "the peer went away within a transaction");
  drop(connection.id);
}

void Server::State::drop(uint64_t id) {
  auto found = connections.find(id);
  ARCH_CHECK(found != connections.end());
  content_bytes -= found->second->counted;
  if (privileged == id) privileged = 0;
  connections.erase(found);
}

// ---- Messages ----

void Server::State::enter(Connection& connection, Finished finished) {
  finished.delivery.captured = clock.now();
  uint64_t id = next_ticket++;
  Ticket& ticket = tickets[id];
  ticket.connection = connection.id;
  ticket.receipt.channel = finished.delivery.channel;
  ticket.receipt.queue_id = finished.delivery.queue_id;
  ticket.receipt.peer = connection.peer;
  ticket.receipt.digest = finished.delivery.digest;
  ticket.receipt.size = finished.message.size();
  ticket.receipt.recipients = finished.delivery.rcpt.size();
  connection.ticket = id;
  connection.since = connection.soothed = now;
  content_bytes += finished.message.size();
  if (!held.empty() || (commit_bytes > 0 && commit_bytes + finished.message.size() > options.max_commit_bytes)) {
    held.push_back({id, std::move(finished)});
  } else {
    hand_over(id, std::move(finished));
  }
}

void Server::State::hand_over(uint64_t ticket, Finished finished) {
  commit_bytes += finished.message.size();
  // When nobody else has anything on its way there is no batch to wait for.
  const bool alone = events_in_turn == 1 && tickets.size() == 1 && content_bytes == finished.message.size();
  auto submitted = commit.submit(
      std::move(finished.delivery), std::move(finished.message),
      [box = mailbox, ticket](Result<RecordRef> outcome) { box->post(ticket, outcome); },
      alone ? GroupCommit::By::kCaller : GroupCommit::By::kCommitThread);
  if (!submitted) mailbox->post(ticket, tl::unexpected<Error>(submitted.error()));
}

void Server::State::hand_over_held() {
  while (!held.empty() &&
         (commit_bytes == 0 || commit_bytes + held.front().finished.message.size() <= options.max_commit_bytes)) {
    Held next = std::move(held.front());
    held.pop_front();
    hand_over(next.ticket, std::move(next.finished));
  }
}

void Server::State::collect_outcomes() {
  silence(mailbox->bell.get());
  std::vector<std::pair<uint64_t, Result<RecordRef>>> outcomes;
  {
    std::lock_guard lock(mailbox->mutex);
    outcomes.swap(mailbox->outcomes);
  }
  for (auto& [ticket, outcome] : outcomes) {
    auto found = tickets.find(ticket);
    ARCH_CHECK(found != tickets.end());
    commit_bytes -= found->second.receipt.size;
    settle(ticket, outcome);
  }
  hand_over_held();
}

void Server::State::settle(uint64_t id, const Result<RecordRef>& outcome) {
  auto found = tickets.find(id);
  ARCH_CHECK(found != tickets.end());
  Ticket ticket = std::move(found->second);
  tickets.erase(found);
  content_bytes -= ticket.receipt.size;

  auto owner = connections.find(ticket.connection);
  Connection* connection = owner == connections.end() ? nullptr : owner->second.get();
  ticket.receipt.answered = connection != nullptr && connection->ticket == id;
  if (outcome) {
    health = StoreHealth::kGood;
    observer.stored(ticket.receipt, *outcome);
  } else {
    bool full = outcome.error().code == Code::kFull;
    health = full ? StoreHealth::kFull : StoreHealth::kFailed;
    health_until = now + (full ? options.full_pause : options.failed_pause);
    observer.not_stored(ticket.receipt, outcome.error());
  }
  if (!ticket.receipt.answered) return;
  connection->ticket = 0;
  connection->last_progress = now;
  if (!connection->session.waiting()) return advance(*connection);
  connection->session.set_health(current_health());
  if (outcome) {
    connection->session.complete({});
  } else {
    connection->session.complete(tl::unexpected<Error>(outcome.error()));
  }
  advance(*connection);
}

// ---- Time ----

void Server::State::begin_drain() {
  if (draining) return;
  draining = true;
  drain_begun = now;
  for (uint64_t id : ids()) {
    Connection& connection = *connections.at(id);
    connection.session.drain();
    advance(connection);
  }
}

void Server::State::sweep() {
  if (!accepting) listen_to_new(true);
  for (uint64_t id : ids()) sweep_one(*connections.at(id));
}

void Server::State::sweep_one(Connection& connection) {
  Session& session = connection.session;
  const uint64_t id = connection.id;
  if (connection.lingering) {
    if (now - connection.since > options.linger_timeout) drop(id);
    return;
  }
  if (connection.ticket != 0) {
    if (now - connection.since <= options.commit_timeout) {
      if (now - connection.soothed < options.progress_interval) return;
      connection.soothed = now;
      session.progress();
      return advance(connection);
    }
    const uint64_t ticket = std::exchange(connection.ticket, 0);
    if (session.waiting()) session.complete(fail(Code::kTryAgain, "not durable in time"));
    // What was not yet handed over is not wanted any more: the client has been told to come again.
    for (auto entry = held.begin(); entry != held.end(); ++entry) {
      if (entry->ticket != ticket) continue;
      held.erase(entry);
      settle(ticket, fail(Code::kTryAgain, "waited too long to be written"));
      break;
    }
    connection.last_progress = now;
    return advance(connection);
  }
  bool drain_over = draining && now - drain_begun > options.drain_timeout;
  if (connection.held_back && !drain_over) {
    if (now - connection.since <= options.patience) return;
    session.shed();
    return advance(connection);
  }
  auto idle = now - connection.last_progress;
  bool in_content = session.receiving_content();
  const Duration allowed = in_content                     ? options.data_timeout
                           : session.speaks_for_another() ? options.idle_timeout
                                                          : options.command_timeout;
  bool late =
      drain_over || idle > allowed || (in_content && now - connection.message_begun > options.message_timeout);
  if (!late) return;
  if (session.closing() || !connection.output.empty()) {  // it does not even take our replies
    observer.session_ended(connection.peer, "timeout");
    return drop(id);
  }
  session.time_out();
  advance(connection);
}

}  // namespace arch::ingest
