package io.muster.client.transport;

import java.io.IOException;

/** A WebSocket that is open or about to be. */
public interface Line {
    /** Sends a text message. Blocks for at most some seconds while the network takes nothing, and then fails. */
    void sendText(String text) throws IOException;

    /** Sends a ping, if this library hides the server's pings from its user; does nothing by default. */
    default void probe() {}

    /** Closes with 1000. Does not wait for the answer, which the listener is told of. */
    void close();

    /** Gives the connection up, or the attempt, without waiting for anything. The listener may still be told of the end. */
    void abort();
}
