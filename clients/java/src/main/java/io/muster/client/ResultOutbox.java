package io.muster.client;

import java.util.ArrayDeque;
import java.util.Collection;
import java.util.Deque;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.UUID;

/** The last results, which are sent again at the start of each session, and those that this session has yet to send. */
final class ResultOutbox {
    /** How many results are kept; the oldest is dropped first. Not limited by age: a broken link can go unnoticed for long. */
    static final int KEPT = 256;

    private final Map<UUID, Outgoing> sent = new LinkedHashMap<>();
    private final Deque<Outgoing> unsent = new ArrayDeque<>();

    /** Starts with the results of before a restart. */
    ResultOutbox(Collection<Outgoing> results) {
        results.forEach(this::record);
    }

    /** Keeps a result that is being sent, in place of an earlier one of the same command. */
    void record(Outgoing result) {
        sent.remove(result.resultOf());
        sent.put(result.resultOf(), result);
        if (sent.size() > KEPT) {
            Iterator<UUID> oldest = sent.keySet().iterator();
            oldest.next();
            oldest.remove();
        }
    }

    /** Adds a result that the terminal makes by itself. */
    void add(Outgoing result) {
        unsent.removeIf(each -> each.resultOf().equals(result.resultOf()));
        if (unsent.size() < KEPT) {
            unsent.add(result);
        }
    }

    /** A command that ran before has arrived again: its result is sent again, if it is kept and not about to be sent. */
    void repeat(UUID id) {
        Outgoing result = sent.get(id);
        if (result != null && unsent.stream().noneMatch(each -> each.resultOf().equals(id))) {
            unsent.add(result);
        }
    }

    /** Begins a session: all that was sent lately is to be sent again, before what was not sent yet. */
    void resend() {
        Deque<Outgoing> later = new ArrayDeque<>(unsent);
        unsent.clear();
        unsent.addAll(sent.values());
        later.forEach(each -> unsent.removeIf(earlier -> earlier.resultOf().equals(each.resultOf())));
        unsent.addAll(later);
        sent.clear();
    }

    /** Removes and returns the next result to send; null if there is none. Whoever sends it calls {@link #record}. */
    Outgoing next() {
        return unsent.poll();
    }
}
