package io.muster.client;

import io.muster.client.transport.Line;

/** What a connector needs done. The answers come as calls of the connector. */
interface World {
    /** Begins to connect to the settings' URL of this index. {@code token} is null if there is none. */
    Line dial(int attempt, int url, Token token);

    /** Has the source asked for a token, on another thread. */
    void ask(int question, TokenSource source);
}
