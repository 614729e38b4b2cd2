package io.muster.client;

import java.util.Locale;

/** How a terminal judges its own health. */
public enum Condition {
    /** All is well. */
    OK,
    /** The terminal works, and somebody should look at it. */
    DEGRADED,
    /** The terminal does not do its work. */
    FAILING;

    /** The word in a frame. */
    String word() {
        return name().toLowerCase(Locale.ROOT);
    }
}
