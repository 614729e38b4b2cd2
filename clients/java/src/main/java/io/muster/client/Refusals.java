package io.muster.client;

import java.util.Objects;

/** The tokens that nodes refused, or that expired, since the terminal was last online. */
final class Refusals {
    private int count;
    private Token last;

    /** How many different ones in a row. */
    int count() {
        return count;
    }

    /** Counts a token, unless it is the one that was counted last. */
    void add(Token token) {
        if (count == 0 || !Objects.equals(last, token)) {
            count++;
            last = token;
        }
    }

    void clear() {
        count = 0;
        last = null;
    }
}
