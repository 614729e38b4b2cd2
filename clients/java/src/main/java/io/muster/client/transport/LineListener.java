package io.muster.client.transport;

import java.time.Duration;

/**
 * What a line reports, one call at a time. {@link #onText} and {@link #onSign} return when the message has been dealt with, and
 * nothing more may be read until then. The last call is one of {@link #onClose}, {@link #onRefused} and {@link #onLost}.
 */
public interface LineListener {
    /** The server has accepted the handshake, with this subprotocol; null if it chose none. */
    void onOpen(String protocol);

    /** A text message. */
    void onText(String text);

    /** Something else came, such as a ping: the server is there. */
    void onSign();

    /** The server has closed the connection; 1005 if its close had no code. */
    void onClose(int code, String reason);

    /** The server has refused the handshake with this HTTP status; null if it said nothing of a time to wait. */
    void onRefused(int status, Duration retryAfter);

    /** The connection could not be made, or broke without a close. */
    void onLost(String cause);
}
