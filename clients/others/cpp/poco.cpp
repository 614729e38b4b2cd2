// Poco. It hands frames over, pings too, which the program must answer.
#include <Poco/Net/Context.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/Net/HTTPSClientSession.h>
#include <Poco/Net/NetException.h>
#include <Poco/Net/SSLManager.h>
#include <Poco/Net/WebSocket.h>

#include "lines.h"

using namespace Poco::Net;

static void run(HTTPClientSession& client, const lines::At& at) {
    HTTPRequest request(HTTPRequest::HTTP_GET, at.path, HTTPMessage::HTTP_1_1);
    HTTPResponse answer;
    if (lines::offered()) request.set("Sec-WebSocket-Protocol", lines::protocols());
    else request.set("Authorization", lines::authorization());
    try {
        WebSocket session(client, request, answer);
        session.setReceiveTimeout(Poco::Timespan(120, 0));
        lines::say("open");
        session.sendFrame("hello", 5);
        for (int flags = 0, size; ; ) {
            Poco::Buffer<char> message(0);
            size = session.receiveFrame(message, flags);
            int kind = flags & WebSocket::FRAME_OP_BITMASK;
            if (size == 0 && flags == 0) return lines::close(0, "");
            if (kind == WebSocket::FRAME_OP_PING) {
                session.sendFrame(message.begin(), size, WebSocket::FRAME_FLAG_FIN | WebSocket::FRAME_OP_PONG);
            } else if (kind == WebSocket::FRAME_OP_CLOSE) {
                auto* bytes = reinterpret_cast<unsigned char*>(message.begin());
                return lines::close(bytes[0] << 8 | bytes[1], std::string(bytes + 2, bytes + size));
            } else if (kind == WebSocket::FRAME_OP_TEXT) {
                auto reply = lines::text(std::string(message.begin(), size));
                if (!reply.empty()) session.sendFrame(reply.data(), int(reply.size()));
            }
        }
    } catch (WebSocketException& error) {
        if (answer.getStatus() == 101) return lines::error(error.displayText());
        lines::refused(answer.getStatus(), "");
    } catch (Poco::Exception& error) {
        lines::error(error.displayText());
    }
}

int main(int, char** words) {
    lines::At at(words[1]);
    auto port = Poco::UInt16(std::stoi(at.port));
    if (!at.tls) {
        HTTPClientSession client(at.host, port);
        run(client, at);
        return 0;
    }
    initializeSSL();
    Context::Ptr tls = new Context(Context::CLIENT_USE, "", "", words[2], Context::VERIFY_RELAXED);
    HTTPSClientSession client(at.host, port, tls);
    run(client, at);
}
