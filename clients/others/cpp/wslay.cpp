// wslay, which knows frames alone: the program has the line, asks for the upgrade and reads the answer.
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <wslay/wslay.h>

#include <algorithm>

#include "lines.h"

// The line, and whether wslay may read from it once more before it sends again: reading waits.
struct Line {
    BIO* bio;
    bool may_read;
};

static BIO* connect(const lines::At& at, const char* ca) {
    auto to = at.host + ":" + at.port;
    if (!at.tls) return BIO_new_connect(to.c_str());
    SSL_CTX* trusted = SSL_CTX_new(TLS_client_method());
    SSL_CTX_load_verify_locations(trusted, ca, nullptr);
    SSL_CTX_set_verify(trusted, SSL_VERIFY_PEER, nullptr);
    BIO* bio = BIO_new_ssl_connect(trusted);
    SSL* tls = nullptr;
    BIO_get_ssl(bio, &tls);
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), at.host.c_str());
    BIO_set_conn_hostname(bio, to.c_str());
    return bio;
}

// Asks for the upgrade. Returns the status of the answer; 0 if there is none.
static int upgrade(BIO* bio, const lines::At& at) {
    std::string head = lines::offered() ? "Sec-WebSocket-Protocol: " + lines::protocols() : "Authorization: " + lines::authorization();
    std::string request = "GET " + at.path + " HTTP/1.1\r\nHost: " + at.host + ":" + at.port + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + head + "\r\n\r\n";
    BIO_write(bio, request.data(), int(request.size()));
    std::string answer;
    for (char each; answer.find("\r\n\r\n") == std::string::npos; answer += each) {
        if (BIO_read(bio, &each, 1) != 1) return 0;
    }
    return std::stoi(answer.substr(9, 3));
}

static ssize_t receive(wslay_event_context* session, uint8_t* to, size_t size, int, void* user) {
    auto* line = static_cast<Line*>(user);
    int count = line->may_read ? BIO_read(line->bio, to, int(size)) : 0;
    if (count <= 0) {
        wslay_event_set_error(session, line->may_read ? WSLAY_ERR_CALLBACK_FAILURE : WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    line->may_read = false;
    return count;
}

static ssize_t send(wslay_event_context* session, const uint8_t* bytes, size_t size, int, void* user) {
    int count = BIO_write(static_cast<Line*>(user)->bio, bytes, int(size));
    if (count <= 0) wslay_event_set_error(session, WSLAY_ERR_CALLBACK_FAILURE);
    return count > 0 ? count : -1;
}

static int mask(wslay_event_context*, uint8_t* to, size_t size, void*) { return RAND_bytes(to, int(size)) == 1 ? 0 : -1; }

static void queue(wslay_event_context* session, const std::string& text) {
    wslay_event_msg message{WSLAY_TEXT_FRAME, reinterpret_cast<const uint8_t*>(text.data()), text.size()};
    wslay_event_queue_msg(session, &message);
}

static void hear(wslay_event_context* session, const wslay_event_on_msg_recv_arg* heard, void*) {
    std::string message(reinterpret_cast<const char*>(heard->msg), heard->msg_length);
    if (heard->opcode == WSLAY_CONNECTION_CLOSE) {
        lines::close(heard->status_code, message.substr(std::min<size_t>(2, message.size())));
    } else if (heard->opcode == WSLAY_TEXT_FRAME) {
        auto reply = lines::text(message);
        if (!reply.empty()) queue(session, reply);
    }
}

int main(int, char** words) {
    lines::At at(words[1]);
    Line line{connect(at, at.tls ? words[2] : nullptr), false};
    if (BIO_do_connect(line.bio) <= 0) {
        lines::error("no connection");
        return 0;
    }
    if (int status = upgrade(line.bio, at); status != 101) {
        lines::refused(status, "");
        return 0;
    }
    lines::say("open");
    wslay_event_callbacks callbacks = {receive, send, mask, nullptr, nullptr, nullptr, hear};
    wslay_event_context* session;
    wslay_event_context_client_init(&session, &callbacks, &line);
    queue(session, "hello");
    while (wslay_event_want_read(session) || wslay_event_want_write(session)) {
        line.may_read = true;
        if (wslay_event_send(session) || wslay_event_recv(session)) {
            if (!wslay_event_get_close_received(session)) lines::error("the line has ended");
            break;
        }
    }
    wslay_event_context_free(session);
}
