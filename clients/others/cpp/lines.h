// What each program of this folder is told, and what it prints: one JSON object a line.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

namespace lines {

// Where to connect: HOST, PORT and what follows, of an URL as ws://127.0.0.1:9000/ws?terminal_id=t1.
struct At {
    bool tls;
    std::string host, port, path;

    explicit At(const std::string& url) : tls(url.rfind("wss", 0) == 0) {
        auto begin = url.find("//") + 2, slash = url.find('/', begin), colon = url.find(':', begin);
        host = url.substr(begin, colon - begin);
        port = url.substr(colon + 1, slash - colon - 1);
        path = url.substr(slash);
    }
};

inline bool offered() {
    const char* head = std::getenv("HEAD");
    return head && std::string(head) == "subprotocol";
}

// The value of the header Authorization; empty if the token is offered as a subprotocol.
inline std::string authorization() { return offered() ? "" : std::string("Bearer ") + std::getenv("TOKEN"); }

// The subprotocols to offer; empty if the token is in a header.
inline std::string protocols() {
    return offered() ? std::string("muster.plain, muster.bearer.") + std::getenv("TOKEN") : "";
}

inline std::string quoted(const std::string& text) {
    std::string made = "\"";
    for (unsigned char each : text) {
        if (each == '"' || each == '\\') (made += '\\') += char(each);
        else if (each < 32) made += ' ';
        else made += char(each);
    }
    return made + "\"";
}

inline void say(const std::string& saw, const std::string& fields = "") {
    std::printf("{\"saw\":\"%s\"%s%s}\n", saw.c_str(), fields.empty() ? "" : ",", fields.c_str());
    std::fflush(stdout);
}

// Prints a message, and returns what is to be sent in answer, if anything is.
inline std::string text(const std::string& message) {
    say("text", "\"size\":" + std::to_string(message.size()) + ",\"text\":" + quoted(message.substr(0, 64)));
    return message.rfind("send ", 0) == 0 ? std::string(std::stoul(message.substr(5)), 'x') : "";
}

inline void close(int code, const std::string& reason) {
    say("close", "\"code\":" + (code ? std::to_string(code) : std::string("null")) + ",\"reason\":" + quoted(reason));
}

inline void refused(int status, const std::string& body) {
    say("refused", "\"status\":" + std::to_string(status) + ",\"body\":" + quoted(body));
}

inline void error(const std::string& words) { say("error", "\"text\":" + quoted(words)); }

}  // namespace lines
